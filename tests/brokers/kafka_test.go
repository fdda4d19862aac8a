package brokers

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/events/eventstest"
	"github.com/gptmesh/gptmesh/pkg/events/kafkabroker"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// fakeKafka is the client library's own server, over TCP and with its data on
// the disk, that can be stopped and started again. It is not Kafka.
type fakeKafka struct {
	dir     string
	ports   []int
	cluster *kfake.Cluster
}

func (k *fakeKafka) start(t *testing.T, options ...kfake.Opt) {
	t.Helper()
	options = append(options, kfake.NumBrokers(len(k.ports)), kfake.Ports(k.ports...), kfake.DataDir(k.dir))
	cluster, err := kfake.NewCluster(options...)
	if err != nil {
		t.Fatal(err)
	}
	k.cluster = cluster
}

func TestKafka(t *testing.T) {
	t.Parallel()
	eventstest.Run(t, func(t *testing.T) eventstest.Harness {
		k := &fakeKafka{dir: t.TempDir(), ports: []int{freePort(t)}}
		k.start(t)
		t.Cleanup(func() { k.cluster.Close() })
		url := "kafka://" + strings.Join(k.cluster.ListenAddrs(), ",")
		return eventstest.Harness{
			Open: func(t *testing.T) events.Broker {
				b, err := kafkabroker.New(kafkabroker.Config{URL: url, Partitions: 4, Name: t.Name()})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = b.Close() })
				return b
			},
			Down:     func(*testing.T) { k.cluster.Close() },
			Up:       func(t *testing.T) { k.start(t) },
			TooLarge: 1 << 20,
		}
	})
}

// TestKafkaAccounts: who may not in is told so, over TLS and not.
func TestKafkaAccounts(t *testing.T) {
	t.Parallel()
	signer := httptest.NewTLSServer(nil) // for its certificate
	t.Cleanup(signer.Close)
	pool := x509.NewCertPool()
	pool.AddCert(signer.Certificate())
	accounts := []kfake.Opt{
		kfake.EnableSASL(), kfake.Superuser("PLAIN", "me", "plain p@ss"),
		kfake.Superuser("SCRAM-SHA-256", "me", "256"), kfake.Superuser("SCRAM-SHA-512", "me", "512"),
	}
	open := &fakeKafka{dir: t.TempDir(), ports: []int{freePort(t)}}
	open.start(t, accounts...)
	t.Cleanup(func() { open.cluster.Close() })
	closed := &fakeKafka{dir: t.TempDir(), ports: []int{freePort(t)}}
	closed.start(t, append(accounts, kfake.TLS(&tls.Config{Certificates: signer.TLS.Certificates}))...)
	t.Cleanup(func() { closed.cluster.Close() })
	for name, test := range map[string]struct {
		scheme, account, query string
		options                []kgo.Opt
		refused                bool
	}{
		"scram":          {scheme: "kafka", account: "me:256"},
		"scram 512":      {scheme: "kafka", account: "me:512", query: "?sasl=scram-sha-512"},
		"plain":          {scheme: "kafka", account: "me:plain%20p%40ss", query: "?sasl=plain"},
		"wrong password": {scheme: "kafka", account: "me:512", refused: true},
		"tls":            {scheme: "kafkas", account: "me:256", options: []kgo.Opt{kgo.DialTLSConfig(&tls.Config{RootCAs: pool})}},
		"unknown signer": {scheme: "kafkas", account: "me:256", refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := open
			if test.scheme == "kafkas" {
				k = closed
			}
			b, err := kafkabroker.New(kafkabroker.Config{
				URL: test.scheme + "://" + test.account + "@" + strings.Join(k.cluster.ListenAddrs(), ",") + test.query, Options: test.options,
			})
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			taken, err := b.Publish(ctx, []*events.Event{eventstest.Event("session.updated", "a", 1)})
			if (err != nil) != test.refused || taken == 0 != test.refused {
				t.Errorf("published %d, %v", taken, err)
			}
		})
	}
}

// TestKafkaTopicIsRemoved: whoever removes the topic loses what was in it, and
// nothing that comes later.
func TestKafkaTopicIsRemoved(t *testing.T) {
	t.Parallel()
	k := &fakeKafka{dir: t.TempDir(), ports: []int{freePort(t)}}
	k.start(t)
	t.Cleanup(func() { k.cluster.Close() })
	b, err := kafkabroker.New(kafkabroker.Config{URL: "kafka://" + strings.Join(k.cluster.ListenAddrs(), ","), Partitions: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	publish := func(n int) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
			if _, err = b.Publish(t.Context(), []*events.Event{eventstest.Event("session.updated", strconv.Itoa(n), n)}); err == nil {
				return
			}
			if time.Now().After(deadline) {
				t.Fatal(err)
			}
		}
	}
	publish(1)
	got := map[string]chan string{"": make(chan string, 100), "readers": make(chan string, 100)}
	ctx, cancel := context.WithCancel(t.Context())
	var both sync.WaitGroup
	for group, into := range got {
		both.Go(func() {
			if err := b.Subscribe(ctx, events.Subscription{Group: group, Start: events.Start{Earliest: true}},
				func(_ context.Context, e *events.Event) error { into <- e.GetKey(); return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	defer both.Wait()
	defer cancel()
	await := func(key string) {
		t.Helper()
		for group, from := range got {
			for came := ""; came != key; {
				select {
				case came = <-from:
				case <-time.After(time.Minute):
					t.Fatalf("%q does not get %s", group, key)
				}
			}
		}
	}
	await("1")
	if err := k.cluster.DeleteTopic(kafkabroker.DefaultPrefix + ".events"); err != nil {
		t.Fatal(err)
	}
	publish(2)
	publish(3)
	await("3")
}
