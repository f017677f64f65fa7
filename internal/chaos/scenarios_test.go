package chaos

import "time"

// scenarios is the table of faults. The numbers are those of the catalogue of faults in the project's documentation;
// what each scenario injects is in the file that its group names.
func scenarios() []scenario {
	return []scenario{
		{number: 1, name: "a replica is killed, again and again", short: true, inject: killReplicas, expect: limits{stall: 5 * time.Second, slowest: 5 * time.Second}},
		{number: 2, name: "all replicas are killed", inject: killAllReplicas},
		{number: 16, name: "Postgres crashes", short: true, inject: crashPostgres},
		{number: 30, name: "RabbitMQ is killed", short: true, inject: killRabbitMQ},
	}
}
