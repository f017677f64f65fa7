package chaos

import (
	"fmt"
	"net/http"
	"syscall"
	"time"

	"github.com/stretchr/testify/require"
)

func killRabbitMQ(w *world) int {
	whole := w.broken()
	w.rabbitmq(w.t).Stop(syscall.SIGKILL)
	w.let(lasting(3*time.Second, time.Second))
	w.rabbitmq(w.t).Start()
	w.awaitRabbitMQ()
	whole()
	return 1
}

func stopRabbitMQ(w *world) int {
	whole := w.broken()
	w.control(w.t, "stop_app")
	w.let(lasting(15*time.Second, 3*time.Second))
	w.control(w.t, "start_app")
	w.awaitRabbitMQ()
	whole()
	return 1
}

func crashBoth(w *world) int {
	whole := w.broken()
	w.rabbitmq(w.t).Stop(syscall.SIGKILL)
	w.postgres(w.t).Stop(syscall.SIGQUIT)
	w.let(2 * time.Second)
	w.postgres(w.t).Start()
	w.rabbitmq(w.t).Start()
	w.awaitPostgres()
	w.awaitRabbitMQ()
	whole()
	return 2
}

// stormConnections closes every connection to the broker every two seconds. The broker does that by itself: starting
// rabbitmqctl takes longer than that.
func stormConnections(w *world) int {
	n := times(6, 2)
	whole := w.broken()
	out := w.control(w.t, "eval", fmt.Sprintf(`lists:sum([begin
		Open = rabbit_networking:connections(),
		[rabbit_networking:close_connection(P, "storm") || P <- Open],
		timer:sleep(2000), length(Open) end || _ <- lists:seq(1, %d)]).`, n))
	whole()
	closed := 0
	_, err := fmt.Sscan(out, &closed)
	require.NoError(w.t, err, out)
	w.await(3*time.Second, "the consumers should be back", func() bool {
		queue, err := w.channel().QueueDeclarePassive(w.prefix+".replies", true, false, false, false, nil)
		return err == nil && queue.Consumers == len(w.replicas)
	})
	return closed
}

// alarm makes the broker refuse to read from publishers, first for want of memory, then for want of disk.
func alarm(w *world) int {
	for _, one := range [][2][]string{
		{{"set_vm_memory_high_watermark", "0.00001"}, {"set_vm_memory_high_watermark", "0.4"}},
		{{"set_disk_free_limit", "900000GB"}, {"set_disk_free_limit", "50MB"}},
	} {
		whole := w.broken()
		w.control(w.t, one[0]...)
		noticed := w.await(5*time.Second, "the replicas should say that the broker does not read", func() bool {
			status, err := w.anyAPI(0).call(http.MethodGet, "/readyz", "", nil, nil)
			return err == nil && status == http.StatusServiceUnavailable
		})
		w.t.Logf("%v was noticed after %s", one[0], noticed)
		w.let(lasting(15*time.Second, 4*time.Second))
		w.control(w.t, one[1]...)
		whole()
		w.let(3 * time.Second)
	}
	return 2
}

// deleteCommandQueue takes a step's queue away, again and again, with what is in it.
func deleteCommandQueue(w *world) int {
	whole := w.broken()
	deleted := 0
	for range times(10, 3) {
		channel := w.channel()
		_, err := channel.QueueDelete(w.prefix+".commands.payments", false, false, false)
		require.NoError(w.t, err)
		deleted++
		w.let(time.Second)
	}
	// A broker may forget a consumer at such times: it is back when its worker subscribes anew.
	back := w.await(25*time.Second, "the queue should be declared again", func() bool {
		return w.consumers("commands.payments") == len(w.workers)
	})
	w.t.Logf("the queue was back, with its consumers, after %s", back)
	whole()
	return deleted
}

// consumers counts those of a queue; -1: there is no such queue.
func (w *world) consumers(queue string) int {
	connection, channel := w.connect()
	defer connection.Close()
	found, err := channel.QueueDeclarePassive(w.prefix+"."+queue, true, false, false, false, nil)
	if err != nil {
		return -1
	}
	return found.Consumers
}

// deleteReplyQueue takes the queue of the replies away under its consumers.
func deleteReplyQueue(w *world) int {
	n := times(3, 1)
	for range n {
		whole := w.broken()
		_, err := w.channel().QueueDelete(w.prefix+".replies", false, false, false)
		require.NoError(w.t, err)
		noticed := w.await(5*time.Second, "the replicas should notice and consume again", func() bool {
			return w.consumers("replies") == len(w.replicas)
		})
		w.t.Logf("the reply queue was back, with its consumers, after %s", noticed)
		whole()
		w.let(2 * time.Second)
	}
	return n
}

// purgeReplies throws replies away that nobody has taken yet. Nobody takes them while the replicas are dead.
func purgeReplies(w *world) int {
	whole := w.broken()
	for _, p := range w.replicas {
		p.kill()
	}
	purged := 0
	w.await(20*time.Second, "there should be replies to throw away", func() bool {
		n, err := w.channel().QueuePurge(w.prefix+".replies", false)
		require.NoError(w.t, err)
		purged += n
		return purged > 0
	})
	for _, p := range w.replicas {
		p.start()
	}
	w.ready()
	whole()
	return purged
}

// takeRights deletes the exchange of the commands and takes all rights on the broker away.
func takeRights(w *world) int {
	whole := w.broken()
	lines := w.logLines()
	require.NoError(w.t, w.channel().ExchangeDelete(w.prefix+".commands", false, false))
	w.control(w.t, "set_permissions", "-p", "/", "guest", "", "", "")
	w.control(w.t, "close_all_connections", "rights are gone") // the rights of a channel are looked up once
	period := lasting(20*time.Second, 4*time.Second)
	w.let(period)
	perSecond := float64(w.logLines()-lines) / period.Seconds() / float64(len(w.replicas))
	status, err := w.anyAPI(0).call(http.MethodGet, "/readyz", "", nil, nil)
	require.NoError(w.t, err)
	require.Equal(w.t, http.StatusServiceUnavailable, status, "a replica without rights is not ready")
	w.control(w.t, "set_permissions", "-p", "/", "guest", ".*", ".*", ".*")
	w.awaitRabbitMQ()
	whole()
	w.t.Logf("each replica logged %.1f lines a second meanwhile", perSecond)
	require.Less(w.t, perSecond, 10.0, "each replica tries again and again without a pause")
	return 1
}

func (w *world) logLines() int {
	lines := 0
	for _, p := range w.replicas {
		lines += p.says("") // every line
	}
	return lines
}

// fillQueue lets a queue take no more than a few commands while nobody works on them.
func fillQueue(w *world) int {
	whole := w.broken()
	w.control(w.t, "set_policy", "small", "^"+w.prefix+`\.commands\.`, `{"max-length":3}`, "--apply-to", "queues")
	for _, p := range w.workers {
		p.kill()
	}
	peak := 0
	for end := time.Now().Add(lasting(15*time.Second, 5*time.Second)); time.Now().Before(end); w.let(200 * time.Millisecond) {
		peak = max(peak, w.count(`select count(*) from outbox where created_at < now() - interval '1 second'`))
	}
	for _, p := range w.workers {
		p.start()
	}
	w.let(3 * time.Second)
	w.control(w.t, "clear_policy", "small")
	whole()
	return peak
}
