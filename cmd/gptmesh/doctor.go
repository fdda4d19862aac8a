package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/datadir"
	"github.com/gptmesh/gptmesh/pkg/postgres"
)

type doctorCommand struct {
	clientFlags
	Config string `help:"YAML file with the configuration." type:"existingfile" placeholder:"FILE"`
	Data   string `help:"Folder of the embedded stores." placeholder:"DIR"`
}

// Run looks at everything and fails when something is wrong.
func (c doctorCommand) Run() error {
	s, err := listenFlags{Config: c.Config, Data: c.Data}.settings()
	d := &doctor{}
	if err == nil {
		err = s.validate()
	}
	d.say("configuration", err, "run \"gptmesh config verify\" and mend what it names")
	tellStrays(os.Stdout, os.Environ())
	if err != nil {
		return errors.New("the rest was not looked at")
	}
	running := c.mesh(d)
	if s.Database.URL != "" {
		d.say("PostgreSQL", database(s.Database.URL), "check GPTMESH_DATABASE_URL and that the server runs")
	} else if !running {
		d.say("data folder "+s.Data, folder(s.Data), "choose another folder with --data, or stop the process that holds it")
	}
	if !running {
		d.say("http address "+s.HTTP, available(s.HTTP), "stop what listens there, or choose another address with --http")
		d.say("grpc address "+s.GRPC, available(s.GRPC), "stop what listens there, or choose another address with --grpc")
		if s.Admin != "" {
			d.say("admin address "+s.Admin, available(s.Admin), "stop what listens there, or choose another address with --admin")
		}
	}
	if d.wrong > 0 {
		return fmt.Errorf("%d of %d checks failed", d.wrong, d.checks)
	}
	return nil
}

// doctor counts what it found.
type doctor struct{ checks, wrong int }

func (d *doctor) say(what string, err error, advice string) {
	d.checks++
	if err == nil {
		fmt.Printf("ok     %s\n", what)
		return
	}
	d.wrong++
	fmt.Printf("WRONG  %s: %v\n       → %s\n", what, err, advice)
}

// mesh asks a running mesh for its providers; it says whether one runs.
func (c doctorCommand) mesh(d *doctor) bool {
	conn, err := c.dial()
	if err != nil {
		return false
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(c.context(context.Background()), 10*time.Second)
	defer cancel()
	resp, err := gptv1.RemoteGPTService(conn).ListProviders(ctx, &gptv1.ListProvidersRequest{})
	if absent(err) {
		fmt.Printf("ok     a mesh answers at %s\n-      it does not run the gpt room: name a process that does with --addr to see its providers\n", c.Addr)
		return true
	}
	if err != nil {
		fmt.Printf("-      no mesh answers at %s: looked at what one would need\n", c.Addr)
		return false
	}
	fmt.Printf("ok     a mesh answers at %s\n", c.Addr)
	usable := 0
	for _, p := range resp.GetProviders() {
		switch p.GetState() {
		case gptv1.Provider_STATE_HEALTHY:
			if !p.GetTestProvider() {
				usable++
			}
			plural := "s"
			if p.GetModelCount() == 1 {
				plural = ""
			}
			fmt.Printf("ok     provider %s: %d model%s\n", p.GetName(), p.GetModelCount(), plural)
		case gptv1.Provider_STATE_NOT_CONFIGURED:
			fmt.Printf("-      provider %s is not configured: %s\n", p.GetName(), p.GetReason())
		default:
			d.say("provider "+p.GetName(), errors.New(p.GetReason()), "check its address and key")
		}
	}
	if usable == 0 {
		fmt.Println("-      no real provider is usable: set OPENAI_API_KEY or ANTHROPIC_API_KEY, or start Ollama")
	}
	return true
}

func database(url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	db, err := postgres.Open(ctx, postgres.Config{URL: url, Schema: "public", MaxConns: 1})
	if err != nil {
		return err
	}
	db.Close()
	return nil
}

// folder says whether the embedded stores could be opened there.
func folder(dir string) error {
	lock, err := datadir.Acquire(dir)
	if err != nil {
		return err
	}
	defer lock.Release()
	probe := filepath.Join(dir, ".doctor")
	if err := os.WriteFile(probe, []byte("x"), 0o600); err != nil {
		return err
	}
	return os.Remove(probe)
}

func available(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return listener.Close()
}
