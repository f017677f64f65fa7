// Package server runs an orchestrator in this process: the REST API, the engine, and connections to Postgres and RabbitMQ.
// A program can also embed an orchestrator without either, for tests and small installations:
//
//	s, err := server.Open(ctx, server.Config{Auth: "none"})
//	if err != nil {
//		return err
//	}
//	return s.Run(ctx)
//
// When the context of Run ends, the server accepts no new work, finishes what it has begun within ten seconds, and leaves
// the rest to other replicas or to the next start.
package server
