package main

import "github.com/saga-orchestrator/orchestrator/server"

// eventFlags are the flags of lifecycle events.
type eventFlags struct {
	Events            string   `default:"saga" enum:"saga,all,none" env:"ORCHESTRATOR_EVENTS" help:"Lifecycle events to publish. saga: those of sagas; all: those of steps, too; none."`
	KafkaBrokers      []string `env:"KAFKA_BROKERS" placeholder:"HOST:PORT" help:"Brokers of Kafka, to which events are published, too."`
	KafkaTopic        string   `env:"KAFKA_TOPIC" placeholder:"TOPIC" help:"Topic of the events; default: the AMQP prefix with .events."`
	KafkaTLS          bool     `name:"kafka-tls" env:"KAFKA_TLS" help:"Connect to Kafka by TLS, with the certificates that the system trusts."`
	KafkaSASL         string   `name:"kafka-sasl" default:"" enum:",plain,scram-sha-256,scram-sha-512" env:"KAFKA_SASL" help:"Authentication at Kafka: plain, scram-sha-256 or scram-sha-512."`
	KafkaUser         string   `env:"KAFKA_USER" placeholder:"USER" help:"User at Kafka."`
	KafkaPasswordFile string   `env:"KAFKA_PASSWORD_FILE" type:"path" placeholder:"FILE" help:"File that has the password at Kafka."`
	KafkaPassword     string   `env:"KAFKA_PASSWORD" placeholder:"PASSWORD" help:"Password at Kafka."`
}

func (f *eventFlags) readFile() error {
	return fromFile("kafka-password", &f.KafkaPassword, &f.KafkaPasswordFile)
}

// apply sets the fields of the server's configuration.
func (f eventFlags) apply(config *server.Config) {
	config.Events = f.Events
	config.Kafka = server.KafkaConfig{
		Brokers: f.KafkaBrokers, Topic: f.KafkaTopic, TLS: f.KafkaTLS, SASL: f.KafkaSASL, User: f.KafkaUser, Password: f.KafkaPassword,
	}
}
