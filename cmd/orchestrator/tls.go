package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"

	"github.com/saga-orchestrator/orchestrator/server"
)

// tlsFlags are the flags of a server's TLS.
type tlsFlags struct {
	TLSCert     string `name:"tls-cert" env:"ORCHESTRATOR_TLS_CERT" type:"path" placeholder:"FILE" help:"Certificate in PEM, with its chain: serve by TLS. The files are read again when they change."`
	TLSKey      string `name:"tls-key" env:"ORCHESTRATOR_TLS_KEY" type:"path" placeholder:"FILE" help:"Key of the certificate, in PEM."`
	TLSClientCA string `name:"tls-client-ca" env:"ORCHESTRATOR_TLS_CLIENT_CA" type:"path" placeholder:"FILE" help:"Authorities in PEM: callers must present a certificate of one of them."`
}

// apply sets the fields of the server's configuration.
func (f tlsFlags) apply(config *server.Config) {
	config.TLSCert, config.TLSKey, config.TLSClientCA = f.TLSCert, f.TLSKey, f.TLSClientCA
}

// AfterApply reads the files of the connection to the server.
func (r *remote) AfterApply() error {
	if err := fromFile("key", &r.Key, &r.KeyFile); err != nil {
		return err
	}
	if r.CA == "" && r.Cert == "" && r.CertKey == "" {
		return nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if r.CA != "" {
		content, err := os.ReadFile(r.CA)
		if err != nil {
			return fmt.Errorf("--ca-file: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(content) {
			return fmt.Errorf("--ca-file: %s has no certificate in PEM", r.CA)
		}
	}
	if (r.Cert == "") != (r.CertKey == "") {
		return usage("--client-cert and --client-key go together")
	}
	if r.Cert != "" {
		pair, err := tls.LoadX509KeyPair(r.Cert, r.CertKey)
		if err != nil {
			return fmt.Errorf("--client-cert: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is one
	transport.TLSClientConfig = config
	r.http = &http.Client{Transport: transport}
	return nil
}
