package kafkabroker

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// defaultPort is where a server listens whose port is not named.
const defaultPort = "9092"

// parseURL reads what Config.URL holds into options of the client. Its errors
// never show the password.
func parseURL(raw string) ([]kgo.Opt, error) {
	scheme, rest, found := strings.Cut(raw, "://")
	if !found || scheme != "kafka" && scheme != "kafkas" {
		return nil, errors.New(`kafka: url: want "kafka://host:9092" or "kafkas://host:9092"`)
	}
	rest, query, _ := strings.Cut(rest, "?")
	var account string
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		account, rest = rest[:at], rest[at+1:]
	}
	var servers []string
	for server := range strings.SplitSeq(strings.TrimSuffix(rest, "/"), ",") {
		host, port, err := net.SplitHostPort(server)
		if err != nil {
			host, port = strings.Trim(server, "[]"), defaultPort
		}
		if host == "" || port == "" || strings.ContainsAny(server, "/ ") {
			return nil, fmt.Errorf("kafka: url: server %q: want host:port", server)
		}
		servers = append(servers, net.JoinHostPort(host, port))
	}
	options := []kgo.Opt{kgo.SeedBrokers(servers...)}
	if scheme == "kafkas" {
		options = append(options, kgo.DialTLSConfig(&tls.Config{MinVersion: tls.VersionTLS12}))
	}
	settings, err := url.ParseQuery(query)
	if err != nil {
		return nil, errors.New("kafka: url: what follows \"?\" cannot be read")
	}
	for name := range settings {
		if name != "sasl" {
			return nil, fmt.Errorf("kafka: url: unknown setting %q; known is sasl", name)
		}
	}
	if account == "" {
		if settings.Has("sasl") {
			return nil, errors.New("kafka: url: sasl needs a user and a password before the server")
		}
		return options, nil
	}
	mechanism, err := parseAccount(account, settings.Get("sasl"))
	if err != nil {
		return nil, err
	}
	return append(options, kgo.SASL(mechanism)), nil
}

func parseAccount(account, name string) (sasl.Mechanism, error) {
	user, password, _ := strings.Cut(account, ":")
	var err [2]error
	user, err[0] = url.PathUnescape(user)
	password, err[1] = url.PathUnescape(password)
	if err[0] != nil || err[1] != nil || user == "" || password == "" {
		return nil, errors.New("kafka: url: want user:password@, percent-encoded")
	}
	switch name {
	case "", "scram-sha-256":
		return scram.Auth{User: user, Pass: password}.AsSha256Mechanism(), nil
	case "scram-sha-512":
		return scram.Auth{User: user, Pass: password}.AsSha512Mechanism(), nil
	case "plain":
		return plain.Auth{User: user, Pass: password}.AsMechanism(), nil
	}
	return nil, fmt.Errorf("kafka: url: sasl %q: want scram-sha-256, scram-sha-512 or plain", name)
}
