// Package authority makes certificates for tests of TLS.
package authority

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Authority is a private certificate authority.
type Authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	// File has its certificate in PEM.
	File string
}

// New makes an authority.
func New(t testing.TB) *Authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: serial(t), Subject: pkix.Name{CommonName: "an authority"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	a := &Authority{t: t, key: key, File: filepath.Join(t.TempDir(), "ca.pem")}
	a.cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	write(t, a.File, "CERTIFICATE", der)
	return a
}

// Issue writes a certificate for 127.0.0.1 and localhost, and its key, to files.
func (a *Authority) Issue(certFile, keyFile string) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	template := &x509.Certificate{
		SerialNumber: serial(a.t), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour), DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	require.NoError(a.t, err)
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(a.t, err)
	write(a.t, certFile, "CERTIFICATE", der)
	write(a.t, keyFile, "PRIVATE KEY", encoded)
}

// Pair is Issue into files of its own.
func (a *Authority) Pair() (certFile, keyFile string) {
	a.t.Helper()
	folder := a.t.TempDir()
	certFile, keyFile = filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	a.Issue(certFile, keyFile)
	return certFile, keyFile
}

// Front accepts TLS, with a certificate of the authority, and passes what it reads on to an address without TLS. With
// clients it asks for client certificates of the authority.
func (a *Authority) Front(address string, clients bool) (at string) {
	a.t.Helper()
	pair, err := tls.LoadX509KeyPair(a.Pair())
	require.NoError(a.t, err)
	config := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if clients {
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		config.ClientCAs.AddCert(a.cert)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	require.NoError(a.t, err)
	var open sync.WaitGroup
	open.Go(func() {
		for {
			accepted, err := listener.Accept()
			if err != nil {
				return
			}
			open.Go(func() { pass(accepted, address) })
		}
	})
	a.t.Cleanup(func() { _ = listener.Close(); open.Wait() })
	return listener.Addr().String()
}

// pass copies both ways until one side ends.
func pass(accepted net.Conn, address string) {
	defer accepted.Close()
	behind, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer behind.Close()
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(behind, accepted); _ = behind.Close() })
	both.Go(func() { _, _ = io.Copy(accepted, behind); _ = accepted.Close() })
	both.Wait()
}

func serial(t testing.TB) *big.Int {
	t.Helper()
	number, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	require.NoError(t, err)
	return number
}

func write(t testing.TB, path, kind string, content []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600))
}

// FrontPostgres is Front for Postgres, whose clients ask for TLS first.
func (a *Authority) FrontPostgres(address string) (at string) {
	a.t.Helper()
	pair, err := tls.LoadX509KeyPair(a.Pair())
	require.NoError(a.t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(a.t, err)
	var open sync.WaitGroup
	open.Go(func() {
		for {
			accepted, err := listener.Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				if secured := afterRequest(accepted, pair); secured != nil {
					pass(secured, address)
				}
			})
		}
	})
	a.t.Cleanup(func() { _ = listener.Close(); open.Wait() })
	return listener.Addr().String()
}

// afterRequest answers the request for TLS. It returns nil for a client that does not ask for it.
func afterRequest(accepted net.Conn, pair tls.Certificate) net.Conn {
	const request = "\x00\x00\x00\x08\x04\xd2\x16\x2f"
	first := make([]byte, len(request))
	if _, err := io.ReadFull(accepted, first); err != nil || string(first) != request {
		_ = accepted.Close()
		return nil
	}
	if _, err := accepted.Write([]byte("S")); err != nil {
		_ = accepted.Close()
		return nil
	}
	return tls.Server(accepted, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
}
