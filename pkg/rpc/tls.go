package rpc

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// TLSConfig names the files of mutual TLS between rooms. All three or none.
type TLSConfig struct {
	// CA is the certificate that signs every room's.
	CA string `yaml:"ca"`
	// Cert and Key are this process's own.
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

// Enabled says that the files are named.
func (c TLSConfig) Enabled() bool { return c.CA != "" || c.Cert != "" || c.Key != "" }

// Validate says what is wrong with the configuration, or nil.
func (c TLSConfig) Validate() error {
	if c.Enabled() && (c.CA == "" || c.Cert == "" || c.Key == "") {
		return errors.New("ca, cert and key must be set together")
	}
	return nil
}

func (c TLSConfig) load() (tls.Certificate, *x509.CertPool, error) {
	certificate, err := tls.LoadX509KeyPair(c.Cert, c.Key)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("tls: %w", err)
	}
	pem, err := os.ReadFile(c.CA)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("tls: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return tls.Certificate{}, nil, fmt.Errorf("tls: no certificate in %s", c.CA)
	}
	return certificate, pool, nil
}

// Server is the TLS of a listener. A certificate that the CA did not sign is
// refused. Clients without one are let in, to show a key, unless certificates
// are demanded.
func (c TLSConfig) Server(demand bool) (*tls.Config, error) {
	certificate, pool, err := c.load()
	if err != nil {
		return nil, err
	}
	check := tls.VerifyClientCertIfGiven
	if demand {
		check = tls.RequireAndVerifyClientCert
	}
	return &tls.Config{
		Certificates: []tls.Certificate{certificate}, ClientCAs: pool, ClientAuth: check, MinVersion: tls.VersionTLS13,
	}, nil
}

// Client is the TLS of a connection to another room.
func (c TLSConfig) Client() (*tls.Config, error) {
	certificate, pool, err := c.load()
	if err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{certificate}, RootCAs: pool, MinVersion: tls.VersionTLS13}, nil
}
