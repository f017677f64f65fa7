package rabbit

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"

	amqp "github.com/rabbitmq/amqp091-go"
)

const amqps = "amqps"

// plainURL returns the URL without TLS, and whether it had it. TLS is this package's: the reader that mends messages stands
// between TLS and the library.
func plainURL(url string) (plain string, uri amqp.URI, err error) {
	uri, err = amqp.ParseURI(url)
	if err != nil {
		return "", uri, errors.New("the URL is invalid") // the error may quote a password
	}
	if uri.Scheme != amqps {
		return url, uri, nil
	}
	stripped := uri
	stripped.Scheme = "amqp"
	return stripped.String(), uri, nil
}

// tlsConfig reads the files that the URL names: cacertfile, certfile and keyfile.
func tlsConfig(uri *amqp.URI) (*tls.Config, error) {
	config := &tls.Config{ServerName: cmp.Or(uri.ServerName, uri.Host), MinVersion: tls.VersionTLS12}
	if uri.CACertFile != "" {
		content, err := os.ReadFile(uri.CACertFile)
		if err != nil {
			return nil, fmt.Errorf("cacertfile: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(content) {
			return nil, fmt.Errorf("cacertfile: %s has no certificate in PEM", uri.CACertFile)
		}
	}
	if (uri.CertFile == "") != (uri.KeyFile == "") {
		return nil, errors.New("certfile and keyfile go together")
	}
	if uri.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(uri.CertFile, uri.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("certfile: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// secured makes a TLS connection of a network connection. The files are read for each connection, so that renewed ones are
// used.
func secured(ctx context.Context, conn net.Conn, uri *amqp.URI) (net.Conn, error) {
	config, err := tlsConfig(uri)
	if err != nil {
		return nil, err
	}
	client := tls.Client(conn, config)
	if err := client.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("TLS: %w", err)
	}
	return client, nil
}
