// Package pki makes the certificates of a development mesh: an authority of its
// own and one certificate per room. For production use your own authority.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Config says what to make.
type Config struct {
	// Dir is where the files go: ca.pem, ca.key, and NAME.pem and NAME.key for
	// each name. An authority that is there is used again.
	Dir string
	// Names are the rooms.
	Names []string
	// Hosts are DNS names and addresses that every certificate is good for.
	Hosts []string
	// Valid is how long certificates last.
	Valid time.Duration
}

// Make writes the files and returns their paths. Keys are readable by their
// owner only; certificates of names are written anew each time.
func Make(config Config) ([]string, error) {
	if err := os.MkdirAll(config.Dir, 0o700); err != nil {
		return nil, err
	}
	authority, key, made, err := openAuthority(config)
	if err != nil {
		return nil, err
	}
	for _, name := range config.Names {
		files, err := issue(config, authority, key, name)
		if err != nil {
			return made, fmt.Errorf("%s: %w", name, err)
		}
		made = append(made, files...)
	}
	return made, nil
}

func openAuthority(config Config) (*x509.Certificate, *ecdsa.PrivateKey, []string, error) {
	certFile, keyFile := filepath.Join(config.Dir, "ca.pem"), filepath.Join(config.Dir, "ca.key")
	certPEM, err := os.ReadFile(certFile)
	if errors.Is(err, fs.ErrNotExist) {
		return newAuthority(config, certFile, keyFile)
	}
	if err != nil {
		return nil, nil, nil, err
	}
	keyPEM, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, nil, nil, err
	}
	certBlock, _ := pem.Decode(certPEM)
	keyBlock, _ := pem.Decode(keyPEM)
	if certBlock == nil || keyBlock == nil {
		return nil, nil, nil, fmt.Errorf("%s and ca.key: not PEM", certFile)
	}
	certificate, err := x509.ParseCertificate(certBlock.Bytes)
	if err != nil {
		return nil, nil, nil, err
	}
	key, err := x509.ParseECPrivateKey(keyBlock.Bytes)
	return certificate, key, nil, err
}

func newAuthority(config Config, certFile, keyFile string) (*x509.Certificate, *ecdsa.PrivateKey, []string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, nil, err
	}
	template, err := template("gptmesh development CA", config.Valid)
	if err != nil {
		return nil, nil, nil, err
	}
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, nil, nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, nil, err
	}
	return certificate, key, []string{certFile, keyFile}, write(certFile, keyFile, der, key)
}

func issue(config Config, authority *x509.Certificate, authorityKey *ecdsa.PrivateKey, name string) ([]string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template, err := template(name, config.Valid)
	if err != nil {
		return nil, err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	template.DNSNames = []string{name}
	for _, host := range config.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, authority, &key.PublicKey, authorityKey)
	if err != nil {
		return nil, err
	}
	certFile, keyFile := filepath.Join(config.Dir, name+".pem"), filepath.Join(config.Dir, name+".key")
	return []string{certFile, keyFile}, write(certFile, keyFile, der, key)
}

func template(name string, valid time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name, Organization: []string{"gptmesh"}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(valid),
	}, nil
}

func write(certFile, keyFile string, der []byte, key *ecdsa.PrivateKey) error {
	raw, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	if err := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: raw}), 0o600); err != nil {
		return err
	}
	return os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
}
