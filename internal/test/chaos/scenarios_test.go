package chaos

import (
	"slices"
	"time"
)

// scenarios is the table of faults, numbered as in docs/failure-modes.md. Package checker checks every scenario against
// the common rules. What a scenario injects and checks is in the file of its group.
func scenarios() []scenario {
	return slices.Concat(processFaults(), postgresFaults(), rabbitmqFaults(), messageFaults(), boundaryFaults(), databaseFaults(), togetherFaults(), callerFaults(), costlyFaults())
}

func processFaults() []scenario {
	return []scenario{
		{
			number: 1, name: "a replica is killed repeatedly", short: true, inject: killReplicas,
			// A timer may have fired in a replica that died before it published the command: that waits for the lease.
			expect: limits{stall: 5 * time.Second, slowest: 5 * time.Second, late: 4 * time.Second, tries: 3},
		},
		{number: 2, name: "all replicas are killed", inject: killAllReplicas, storeAway: true},
		{
			number: 3, name: "a replica freezes and resumes", short: true, inject: standStill,
			// Its locks are released once its transaction has been idle for ten seconds.
			expect: limits{stall: 5 * time.Second, slowest: 14 * time.Second, late: 12 * time.Second},
		},
		{
			number: 4, name: "a replica freezes inside a transaction", inject: stopInsideTransaction, failpoints: true, storeAway: true,
			expect: limits{stall: 5 * time.Second, slowest: 14 * time.Second},
		},
		{
			number: 5, name: "a crash at every critical point", short: true, inject: crashAtEveryPoint, failpoints: true,
			// A process dies every few seconds, and another one's poll finds its timers.
			expect: limits{late: 4 * time.Second},
		},
		{number: 9, name: "workers die between effect and acknowledgement", inject: workersDie, failpoints: true},
		{number: 10, name: "replies are never sent", inject: loseReplies, verify: timedOutOnce, unloaded: true},
		{number: 11, name: "a success arrives too late", inject: succeedLate, unloaded: true},
		{number: 12, name: "two replies contradict each other", inject: contradict, verify: firstAnswerWins, unloaded: true},
		{
			number: 13, name: "the compensation overtakes its step", inject: overtake, verify: nothingTookEffect, unloaded: true,
			workerEnvironment: []string{"CHAOS_IGNORE_DEADLINE=yes"},
		},
		{number: 14, name: "a compensation fails permanently", inject: refuseToCompensate, verify: noneIsStuck, unloaded: true},
		{number: 15, name: "the replies of two attempts cross", inject: crossAttempts, verify: advancedOnce, unloaded: true},
	}
}

func postgresFaults() []scenario {
	return []scenario{
		{number: 16, name: "Postgres crashes", short: true, inject: crashPostgres, storeAway: true},
		{number: 17, name: "the answers to commits are lost", inject: loseCommits, arrange: throughProxy},
		{number: 18, name: "successful calls of the store are reported as failed", inject: succeedAndFail, failpoints: true},
		{number: 19, name: "connections to Postgres are killed", inject: killBackends, expect: limits{refused: 0.01}},
		{number: 21, name: "the disk of Postgres is full", inject: fillDisk, servers: smallDisk, storeAway: true},
		{number: 24, name: "Postgres fails over to its synchronous standby", inject: failOver, servers: syncStandby, arrange: throughSwitch, storeAway: true},
		{
			number: 25, name: "Postgres fails over to a standby that lacks the last commits", inject: failOverBehind, verify: noCancelLost,
			servers: asyncStandby, arrange: throughSwitchBehind, replicas: 2, storeAway: true, expect: limits{late: 4 * time.Second},
		},
		{number: 27, name: "only two connections to Postgres", inject: starve, arrange: fewConnections, replicas: 1, unloaded: true},
		{number: 28, name: "a migration locks the sagas", inject: lockTables, storeAway: true, expect: limits{progress: 3 * time.Second}},
	}
}

func rabbitmqFaults() []scenario {
	return []scenario{
		{number: 29, name: "RabbitMQ is stopped", inject: stopRabbitMQ},
		{number: 30, name: "RabbitMQ is killed", inject: killRabbitMQ},
		{number: 31, name: "a storm over all connections to RabbitMQ", short: true, inject: stormConnections},
		{number: 32, name: "RabbitMQ is out of memory, and out of disk", inject: alarm},
		{number: 33, name: "a command queue is deleted", short: true, inject: deleteCommandQueue},
		{number: 34, name: "the reply queue is deleted", inject: deleteReplyQueue},
		{number: 35, name: "replies are purged", inject: purgeReplies, storeAway: true},
		{number: 36, name: "the exchange is deleted and all permissions are revoked", inject: takeRights},
		{number: 37, name: "the command queues are full", inject: fillQueue},
		{number: 41, name: "Postgres and RabbitMQ crash", short: true, inject: crashBoth, storeAway: true, expect: limits{settled: time.Minute}},
	}
}

func messageFaults() []scenario {
	return []scenario{
		{number: 42, name: "malformed replies", short: true, inject: sendMalformed, verify: eachDeadLettered},
		{number: 42, name: "commands that kill their workers", inject: poisonCommands, verify: fiveDeliveries},
		{number: 43, name: "replies for sagas that never existed", inject: sendForUnknownSagas, verify: eachDeadLettered},
		{number: 44, name: "forged replies", inject: forge, verify: nothingForged},
		{number: 45, name: "every command and reply is delivered many times", inject: repeatEverything, verify: sameHistories, unloaded: true},
		{number: 46, name: "old replies are delivered again", inject: replay, verify: nothingMoved, unloaded: true},
		{number: 48, name: "thousands of timers in one second", inject: burst, verify: allFiredOnce, unloaded: true},
		{number: 49, name: "the same start a thousand times at once", short: true, inject: startTogether, unloaded: true},
		{number: 50, name: "cancels race completions", inject: cancelAtAnyMoment, verify: oneWinner, unloaded: true},
		{number: 51, name: "a definition is upgraded in flight", inject: upgrade, verify: onTheirVersions, unloaded: true},
	}
}
