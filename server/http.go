package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/saga-orchestrator/orchestrator/api"
)

// Handler returns the page and the REST API, for an HTTP server of the program. Addresses begin with Config.BasePath: mount it
// at that path and below.
//
// It answers while Run runs. Before, a request waits up to two seconds for Run; afterwards it is refused with 503. Each request has the
// limits of time that it has behind Config.Listen, and so has the number of concurrent requests. The program's server
// limits what comes before a request: ReadHeaderTimeout, IdleTimeout, MaxHeaderBytes and the number of connections. A
// middleware that wraps the http.ResponseWriter needs a method Unwrap, without which streams and waits end early.
//
// With Auth none, requests must arrive at a loopback address or a Unix socket, and the Host must be localhost or a
// loopback address, unless Config.Insecure is set. Set it if the program authenticates callers itself.
func (s *Server) Handler() http.Handler { return s.own }

// URL returns the base URL of the page and the REST API, with the port that was chosen if Config.Listen has port 0. It has
// no slash at its end. With Config.NoListener it is only Config.BasePath, to be added to the address of the program's server.
func (s *Server) URL() string {
	if s.listener == nil {
		return s.config.BasePath
	}
	scheme := "http://"
	if s.config.TLSCert != "" {
		scheme = "https://"
	}
	return scheme + s.listener.Addr().String() + s.config.BasePath
}

// openHTTP makes the handler, and listens if that is configured.
func (s *Server) openHTTP(ctx context.Context) error {
	s.handler = s.site(api.New(api.Config{
		BasePath: s.config.BasePath,
		Engine:   s.engine, Compiler: s.compiler, Reads: s.store, Bulks: s.store, Broker: s.broker, QueueSet: s.queueSet, Keys: s.store, KeyRate: s.config.KeyRate,
		Webhooks: s.store, SendWebhook: s.events.sender.Send, EventSource: s.config.kafka().Source, Auth: api.Auth(s.config.Auth), LocalAddress: s.config.localAddress(),
		Monitor: s.monitor, Version: s.config.Version, Logger: s.config.Logger, Stopping: s.stopping, Registry: s.metrics.registry,
	}))
	s.own = api.NewAdmission(s.handler, s.config.localOnly())
	if s.config.NoListener {
		return nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.config.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", s.config.Listen, err)
	}
	s.http = api.NewServer(s.config.Listen, s.handler, s.config.Logger)
	return s.guard(listener)
}

// guard limits the connections of the listener, and encrypts them if there is a certificate.
func (s *Server) guard(listener net.Listener) error {
	s.listener = api.LimitConnections(listener, api.MaxConnections)
	if s.config.TLSCert != "" {
		files, err := newCertificates(s.config)
		if err != nil {
			return err
		}
		s.listener = tls.NewListener(s.listener, &tls.Config{GetConfigForClient: files.forClient, MinVersion: tls.VersionTLS12})
	}
	return nil
}

// serveHTTP lets requests in. With a listener it serves until the HTTP server is shut down; the channel receives an unexpected
// error, and is then closed. Without one the channel is nil.
func (s *Server) serveHTTP() <-chan error {
	s.own.Begin()
	if s.http == nil {
		return nil
	}
	served := make(chan error, 1)
	go func() { // ends with Shutdown or Close
		defer close(served)
		if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			served <- fmt.Errorf("serve %s: %w", s.URL(), err)
		}
	}()
	return served
}

// endHTTP waits for running requests for answersGrace, then closes the connections. It returns what served has received.
func (s *Server) endHTTP(ctx context.Context, served <-chan error) error {
	answers, cancel := context.WithTimeout(ctx, answersGrace)
	defer cancel()
	var late error
	if s.http != nil {
		if err := s.http.Shutdown(answers); err != nil {
			_ = s.http.Close() // the grace period is over
		}
		late = <-served
	}
	s.own.End(answers)
	return late
}
