package kafkabroker

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
)

func TestURL(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]struct {
		servers, sasl string
		tls           bool
	}{
		"kafka://one:9092":                             {servers: "one:9092"},
		"kafka://one,two:9093,[::1]/":                  {servers: "one:9092 two:9093 [::1]:9092"},
		"kafkas://one:9093":                            {servers: "one:9093", tls: true},
		"kafka://me:p%40ss@one:9092":                   {servers: "one:9092", sasl: "SCRAM-SHA-256"},
		"kafkas://me:pass@one,two?sasl=plain":          {servers: "one:9092 two:9092", sasl: "PLAIN", tls: true},
		"kafka://me:pass@one:9092/?sasl=scram-sha-512": {servers: "one:9092", sasl: "SCRAM-SHA-512"},
	} {
		options, err := parseURL(raw)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		client, err := kgo.NewClient(options...)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		servers, _ := client.OptValue(kgo.SeedBrokers).([]string)
		if got := strings.Join(servers, " "); got != want.servers {
			t.Errorf("%s: servers %q, want %q", raw, got, want.servers)
		}
		mechanism := ""
		if list, _ := client.OptValue(kgo.SASL).([]sasl.Mechanism); len(list) > 0 {
			mechanism = list[0].Name()
		}
		if mechanism != want.sasl {
			t.Errorf("%s: sasl %q, want %q", raw, mechanism, want.sasl)
		}
		if got, _ := client.OptValue(kgo.DialTLS).(bool); got != want.tls {
			t.Errorf("%s: tls %t, want %t", raw, got, want.tls)
		}
		client.Close()
	}
	for raw, want := range map[string]string{
		"":                               "kafka://host:9092",
		"one:9092":                       "kafka://host:9092",
		"http://one":                     "kafka://host:9092",
		"kafka://":                       "host:port",
		"kafka://one,,two":               "host:port",
		"kafka://one/topic":              "host:port",
		"kafka://me@one":                 "user:password",
		"kafka://me:secret@one?sasl=md5": "scram-sha-256",
		"kafka://me:secret@one?tls=true": "unknown setting",
		"kafka://one?sasl=plain":         "needs a user",
	} {
		_, err := parseURL(raw)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want an error with %q", raw, err, want)
		}
	}
}
