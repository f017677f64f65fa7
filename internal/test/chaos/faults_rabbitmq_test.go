package chaos

import (
	"fmt"
	"net/http"
	"syscall"
	"time"

	"github.com/stretchr/testify/require"
)

func killRabbitMQ(fx *fixture) int {
	whole := fx.broken()
	fx.rabbitmq(fx.t).Stop(syscall.SIGKILL)
	fx.let(lasting(3*time.Second, time.Second))
	fx.rabbitmq(fx.t).Start()
	fx.awaitRabbitMQ()
	whole()
	return 1
}

func stopRabbitMQ(fx *fixture) int {
	whole := fx.broken()
	fx.control(fx.t, "stop_app")
	fx.let(lasting(15*time.Second, 3*time.Second))
	fx.control(fx.t, "start_app")
	fx.awaitRabbitMQ()
	whole()
	return 1
}

func crashBoth(fx *fixture) int {
	whole := fx.broken()
	fx.rabbitmq(fx.t).Stop(syscall.SIGKILL)
	fx.postgres(fx.t).Stop(syscall.SIGQUIT)
	fx.let(2 * time.Second)
	fx.postgres(fx.t).Start()
	fx.rabbitmq(fx.t).Start()
	fx.awaitPostgres()
	fx.awaitRabbitMQ()
	whole()
	return 2
}

// stormConnections closes every connection to the broker every two seconds. The broker itself does so: rabbitmqctl
// takes longer to start.
func stormConnections(fx *fixture) int {
	n := times(6, 2)
	whole := fx.broken()
	out := fx.control(fx.t, "eval", fmt.Sprintf(`lists:sum([begin
		Open = rabbit_networking:connections(),
		[rabbit_networking:close_connection(P, "storm") || P <- Open],
		timer:sleep(2000), length(Open) end || _ <- lists:seq(1, %d)]).`, n))
	whole()
	closed := 0
	_, err := fmt.Sscan(out, &closed)
	require.NoError(fx.t, err, out)
	fx.await(3*time.Second, "the consumers should reconnect", func() bool {
		queue, err := fx.channel().QueueDeclarePassive(fx.prefix+".replies", true, false, false, false, nil)
		return err == nil && queue.Consumers == len(fx.replicas)
	})
	return closed
}

// alarm makes the broker stop reading from publishers, first for lack of memory, then for lack of disk.
func alarm(fx *fixture) int {
	for _, one := range [][2][]string{
		{{"set_vm_memory_high_watermark", "0.00001"}, {"set_vm_memory_high_watermark", "0.4"}},
		{{"set_disk_free_limit", "900000GB"}, {"set_disk_free_limit", "50MB"}},
	} {
		whole := fx.broken()
		fx.control(fx.t, one[0]...)
		noticed := fx.await(5*time.Second, "the replicas should report that the broker does not read", func() bool {
			status, err := fx.anyAPI(0).call(http.MethodGet, "/readyz", "", nil, nil)
			return err == nil && status == http.StatusServiceUnavailable
		})
		fx.t.Logf("%v was noticed after %s", one[0], noticed)
		fx.let(lasting(15*time.Second, 4*time.Second))
		fx.control(fx.t, one[1]...)
		whole()
		fx.let(3 * time.Second)
	}
	return 2
}

// deleteCommandQueue repeatedly deletes a step's queue with its content.
func deleteCommandQueue(fx *fixture) int {
	whole := fx.broken()
	deleted := 0
	for range times(10, 3) {
		channel := fx.channel()
		_, err := channel.QueueDelete(fx.prefix+".commands.payments", false, false, false)
		require.NoError(fx.t, err)
		deleted++
		fx.let(time.Second)
	}
	// A broker may forget a consumer then: it returns when its worker subscribes again.
	back := fx.await(25*time.Second, "the queue should be declared again", func() bool {
		return fx.consumers("commands.payments") == len(fx.workers)
	})
	fx.t.Logf("the queue and its consumers were back after %s", back)
	whole()
	return deleted
}

// consumers counts the consumers of a queue; -1: the queue does not exist.
func (fx *fixture) consumers(queue string) int {
	connection, channel := fx.connect()
	defer connection.Close()
	found, err := channel.QueueDeclarePassive(fx.prefix+"."+queue, true, false, false, false, nil)
	if err != nil {
		return -1
	}
	return found.Consumers
}

// deleteReplyQueue deletes the reply queue under its consumers.
func deleteReplyQueue(fx *fixture) int {
	n := times(3, 1)
	for range n {
		whole := fx.broken()
		_, err := fx.channel().QueueDelete(fx.prefix+".replies", false, false, false)
		require.NoError(fx.t, err)
		noticed := fx.await(5*time.Second, "the replicas should notice and consume again", func() bool {
			return fx.consumers("replies") == len(fx.replicas)
		})
		fx.t.Logf("the reply queue and its consumers were back after %s", noticed)
		whole()
		fx.let(2 * time.Second)
	}
	return n
}

// purgeReplies drops unconsumed replies, while the replicas are dead.
func purgeReplies(fx *fixture) int {
	whole := fx.broken()
	for _, p := range fx.replicas {
		p.kill()
	}
	purged := 0
	fx.await(20*time.Second, "there should be replies to purge", func() bool {
		n, err := fx.channel().QueuePurge(fx.prefix+".replies", false)
		require.NoError(fx.t, err)
		purged += n
		return purged > 0
	})
	for _, p := range fx.replicas {
		p.start()
	}
	fx.ready()
	whole()
	return purged
}

// takeRights deletes the exchange of the commands and revokes all permissions on the broker.
func takeRights(fx *fixture) int {
	whole := fx.broken()
	lines := fx.logLines()
	require.NoError(fx.t, fx.channel().ExchangeDelete(fx.prefix+".commands", false, false))
	fx.control(fx.t, "set_permissions", "-p", "/", "guest", "", "", "")
	fx.control(fx.t, "close_all_connections", "rights are gone") // a channel caches its permissions
	period := lasting(20*time.Second, 4*time.Second)
	fx.let(period)
	perSecond := float64(fx.logLines()-lines) / period.Seconds() / float64(len(fx.replicas))
	status, err := fx.anyAPI(0).call(http.MethodGet, "/readyz", "", nil, nil)
	require.NoError(fx.t, err)
	require.Equal(fx.t, http.StatusServiceUnavailable, status, "a replica without permissions is not ready")
	fx.control(fx.t, "set_permissions", "-p", "/", "guest", ".*", ".*", ".*")
	fx.awaitRabbitMQ()
	whole()
	fx.t.Logf("each replica logged %.1f lines a second meanwhile", perSecond)
	require.Less(fx.t, perSecond, 10.0, "each replica must pause between its retries")
	return 1
}

func (fx *fixture) logLines() int {
	lines := 0
	for _, p := range fx.replicas {
		lines += p.says("") // every line
	}
	return lines
}

// fillQueue limits a queue to a few commands while no worker runs.
func fillQueue(fx *fixture) int {
	whole := fx.broken()
	fx.control(fx.t, "set_policy", "small", "^"+fx.prefix+`\.commands\.`, `{"max-length":3}`, "--apply-to", "queues")
	for _, p := range fx.workers {
		p.kill()
	}
	peak := 0
	for end := time.Now().Add(lasting(15*time.Second, 5*time.Second)); time.Now().Before(end); fx.let(200 * time.Millisecond) {
		peak = max(peak, fx.count(`select count(*) from outbox where created_at < now() - interval '1 second'`))
	}
	for _, p := range fx.workers {
		p.start()
	}
	fx.let(3 * time.Second)
	fx.control(fx.t, "clear_policy", "small")
	whole()
	return peak
}
