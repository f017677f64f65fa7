package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// tlsLook is the shortest time between two looks at the files of certificates.
const tlsLook = time.Second

// certificates are the files of a TLS server. They are read again when they change; a connection keeps what it began with.
type certificates struct {
	cert, key, clientCA string
	logger              *slog.Logger

	mu     sync.Mutex
	config *tls.Config
	stamps []fileStamp
	looked time.Time
	faulty bool // the files on disk cannot be used, and the log says so
}

// fileStamp changes when a file does.
type fileStamp struct {
	modified time.Time
	size     int64
}

// newCertificates reads the files.
func newCertificates(c Config) (*certificates, error) {
	made := &certificates{cert: c.TLSCert, key: c.TLSKey, clientCA: c.TLSClientCA, logger: c.Logger}
	stamps, err := made.stat()
	if err != nil {
		return nil, fmt.Errorf("TLS: %w", err)
	}
	if made.config, err = made.load(); err != nil {
		return nil, fmt.Errorf("TLS: %w", err)
	}
	made.stamps, made.looked = stamps, time.Now()
	return made, nil
}

func (c *certificates) files() []string {
	files := []string{c.cert, c.key}
	if c.clientCA != "" {
		files = append(files, c.clientCA)
	}
	return files
}

func (c *certificates) stat() ([]fileStamp, error) {
	var stamps []fileStamp
	for _, path := range c.files() {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		stamps = append(stamps, fileStamp{info.ModTime(), info.Size()})
	}
	return stamps, nil
}

func (c *certificates) load() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return nil, fmt.Errorf("read certificate %s and key %s: %w", c.cert, c.key, err)
	}
	// The limits on slow clients are those of HTTP/1.1.
	config := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	if c.clientCA == "" {
		return config, nil
	}
	content, err := os.ReadFile(c.clientCA)
	if err != nil {
		return nil, err
	}
	config.ClientCAs, config.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
	if !config.ClientCAs.AppendCertsFromPEM(content) {
		return nil, fmt.Errorf("%s has no certificate in PEM", c.clientCA)
	}
	return config, nil
}

// forClient returns the configuration of a new connection.
func (c *certificates) forClient(*tls.ClientHelloInfo) (*tls.Config, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) >= tlsLook {
		c.looked = time.Now()
		c.renew()
	}
	return c.config, nil
}

// renew reads the files if they have changed. Files that cannot be used, such as a certificate without its new key, change
// nothing until they can.
func (c *certificates) renew() {
	stamps, err := c.stat()
	if err == nil && sameStamps(stamps, c.stamps) {
		return
	}
	var config *tls.Config
	if err == nil {
		config, err = c.load()
	}
	if err != nil {
		if !c.faulty {
			c.logger.Error("TLS files have changed and cannot be used, keeping the certificate", "error", err)
		}
		c.faulty = true
		return
	}
	c.config, c.stamps, c.faulty = config, stamps, false
	c.logger.Info("TLS files have changed, new connections use them")
}

func sameStamps(a, b []fileStamp) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].modified.Equal(b[i].modified) || a[i].size != b[i].size {
			return false
		}
	}
	return true
}

// checkTLS checks which files are named.
func (c Config) checkTLS() error {
	switch {
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return errors.New("TLS: a certificate needs a key and a key needs a certificate: set both, or neither")
	case c.TLSClientCA != "" && c.TLSCert == "":
		return errors.New("TLS: client certificates need TLS: set a certificate and a key, too")
	default:
		return nil
	}
}
