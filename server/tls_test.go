package server_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env/authority"
	"github.com/saga-orchestrator/orchestrator/server"
)

// serveTLS runs an embedded orchestrator with TLS.
func serveTLS(t *testing.T, config server.Config) *server.Server {
	t.Helper()
	config.Listen, config.Auth, config.Version = "127.0.0.1:0", "none", "test"
	s, err := server.Open(t.Context(), config)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { assert.NoError(t, s.Run(ctx)) })
	t.Cleanup(func() { cancel(); running.Wait() })
	require.True(t, strings.HasPrefix(s.URL(), "https://"))
	return s
}

// caller returns a client that trusts the authority and makes a connection for each request.
func caller(t *testing.T, a *authority.Authority, certificates ...tls.Certificate) *http.Client {
	t.Helper()
	pool := x509.NewCertPool()
	content, err := os.ReadFile(a.File)
	require.NoError(t, err)
	require.True(t, pool.AppendCertsFromPEM(content))
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: certificates, MinVersion: tls.VersionTLS12},
	}}
}

// serial returns the serial number of the server's certificate.
func serial(client *http.Client, url string) (string, error) {
	answer, err := client.Get(url + "/healthz")
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.TLS.PeerCertificates[0].SerialNumber.String(), err
}

func TestACertificateIsReplacedWithoutARestart(t *testing.T) {
	t.Parallel()
	a := authority.New(t)
	cert, key := a.Pair()
	s := serveTLS(t, server.Config{TLSCert: cert, TLSKey: key})
	client := caller(t, a)
	first, err := serial(client, s.URL())
	require.NoError(t, err)
	watch, err := client.Get(s.URL() + "/v1/stats") // an answer of more than a status
	require.NoError(t, err)
	require.NoError(t, watch.Body.Close())

	require.NoError(t, os.WriteFile(key, []byte("half written"), 0o600))
	require.Never(t, func() bool {
		now, err := serial(client, s.URL())
		return err != nil || now != first
	}, 2500*time.Millisecond, 100*time.Millisecond, "what cannot be used changes nothing")
	a.Issue(cert, key)
	require.Eventually(t, func() bool {
		now, err := serial(client, s.URL())
		return err == nil && now != first
	}, 30*time.Second, 50*time.Millisecond)
}

func TestCallersPresentACertificate(t *testing.T) {
	t.Parallel()
	a, other := authority.New(t), authority.New(t)
	cert, key := a.Pair()
	s := serveTLS(t, server.Config{TLSCert: cert, TLSKey: key, TLSClientCA: a.File})
	_, err := serial(caller(t, a), s.URL())
	require.Error(t, err, "without one")
	foreign, err := tls.LoadX509KeyPair(other.Pair())
	require.NoError(t, err)
	_, err = serial(caller(t, a, foreign), s.URL())
	require.Error(t, err, "of another authority")
	own, err := tls.LoadX509KeyPair(a.Pair())
	require.NoError(t, err)
	_, err = serial(caller(t, a, own), s.URL())
	require.NoError(t, err)
}

func TestTLSThatCannotWorkIsRefused(t *testing.T) {
	t.Parallel()
	a := authority.New(t)
	cert, key := a.Pair()
	otherCert, _ := a.Pair()
	empty := filepath.Join(t.TempDir(), "empty.pem")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	for fault, config := range map[string]server.Config{
		"needs a key":          {TLSCert: cert},
		"client certificates":  {TLSClientCA: a.File},
		"no such file":         {TLSCert: cert, TLSKey: "/nowhere"},
		"private key does not": {TLSCert: otherCert, TLSKey: key},
		"has no certificate":   {TLSCert: cert, TLSKey: key, TLSClientCA: empty},
	} {
		config.Listen, config.Auth = "127.0.0.1:0", "none"
		_, err := server.Open(t.Context(), config)
		require.ErrorContains(t, err, fault)
	}
}
