package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gptmesh/gptmesh/pkg/config"
)

// listenFlags are the flags of the commands that run rooms. An empty flag
// leaves the configuration as it is.
type listenFlags struct {
	Config     string `help:"YAML file with the configuration." type:"existingfile" placeholder:"FILE"`
	Data       string `help:"Folder of the embedded stores." placeholder:"DIR"`
	HTTP       string `help:"Address of the HTTP faces." placeholder:"ADDR" name:"http"`
	GRPC       string `help:"Address of the gRPC rooms." placeholder:"ADDR" name:"grpc"`
	Admin      string `help:"Address of metrics and profiles; \"off\" for none." placeholder:"ADDR"`
	Production bool   `help:"Turn test models off."`
}

func (f listenFlags) settings() (settings, error) {
	s, err := loadSettings(f.Config)
	if err != nil {
		return s, err
	}
	for target, value := range map[*string]string{&s.Data: f.Data, &s.HTTP: f.HTTP, &s.GRPC: f.GRPC, &s.Admin: f.Admin} {
		if value != "" {
			*target = value
		}
	}
	if s.Admin == "off" {
		s.Admin = ""
	}
	s.Production = s.Production || f.Production
	s.GPT.Production = s.GPT.Production || s.Production
	return s, nil
}

type upCommand struct{ listenFlags }

// Run runs every room in this process.
func (c upCommand) Run() error {
	s, err := c.settings()
	if err != nil {
		return err
	}
	return run(&s, allRooms)
}

type serveCommand struct {
	Rooms []string `arg:"" name:"room" help:"Rooms to run: session, classifier, gpt, response, request, gateway."`
	listenFlags
}

// Run runs the named rooms in this process.
func (c serveCommand) Run() error {
	s, err := c.settings()
	if err != nil {
		return err
	}
	rooms, err := ordered(c.Rooms)
	if err != nil {
		return err
	}
	return run(&s, rooms)
}

// ordered puts rooms into the order of their wiring.
func ordered(names []string) ([]string, error) {
	asked := map[string]bool{}
	for _, list := range names {
		for _, name := range strings.Split(list, ",") {
			asked[strings.TrimSpace(name)] = true
		}
	}
	var out []string
	for _, room := range allRooms {
		if asked[room] {
			out = append(out, room)
			delete(asked, room)
		}
	}
	for name := range asked {
		return nil, fmt.Errorf("unknown room %q: want %s", name, strings.Join(allRooms, ", "))
	}
	return out, nil
}

// run runs rooms until a signal, then drains. A second signal ends at once.
func run(s *settings, rooms []string) error {
	if tuneMemory(os.Getenv, machine()) {
		ctx, cancel := context.WithCancel(context.Background())
		var following sync.WaitGroup
		following.Go(func() { followHeap(ctx) })
		defer following.Wait()
		defer cancel()
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // as under nohup
		signal.Notify(signals, syscall.SIGHUP) // the terminal went
	}
	defer signal.Stop(signals)

	h, err := start(context.Background(), s, rooms)
	if err != nil {
		return err
	}
	h.greet(os.Stdout)
	received := <-signals
	h.logger.Info("stopping", "signal", received.String(), "drain_timeout", s.Shutdown.DrainTimeout)
	h.group.Leave()

	ctx, cancel := context.WithTimeout(context.Background(), s.Shutdown.LeaveDelay+s.Shutdown.DrainTimeout)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		select {
		case <-time.After(s.Shutdown.LeaveDelay):
		case <-ctx.Done():
		}
		ended <- h.group.Shutdown(ctx)
	}()
	select {
	case err := <-ended:
		h.logger.Info("stopped")
		return err
	case <-signals:
		_ = h.log.Close()
		return errors.New("stopped at once by a second signal; what was acknowledged is kept")
	}
}

// commandsKey is the variable of the key of the commands that are clients.
const commandsKey = "GPTMESH_API_KEY"

// strays are variables that begin like this program's and set nothing.
func strays(environ []string) []config.Stray {
	s := defaultSettings()
	return config.Strays(&s, prefix, environ, commandsKey)
}

// tellStrays is warnOfStrays for commands that say what is wrong.
func tellStrays(w io.Writer, environ []string) {
	for _, stray := range strays(environ) {
		fmt.Fprintf(w, "-      %s sets nothing", stray.Name)
		if stray.Near != "" {
			fmt.Fprintf(w, "; did you mean %s?", stray.Near)
		}
		fmt.Fprintln(w)
	}
}

// warnOfStrays tells of variables that were meant for this program and set
// nothing. They are no reason not to start: whoever runs the program may have set
// them for something else. open says that no key is asked for.
func warnOfStrays(logger *slog.Logger, environ []string, open bool) {
	for _, stray := range strays(environ) {
		args := []any{"name", stray.Name}
		if stray.Near != "" {
			args = append(args, "did_you_mean", stray.Near)
		}
		logger.Warn("this variable of the environment sets nothing", args...)
	}
	if open && slices.ContainsFunc(environ, func(v string) bool { return strings.HasPrefix(v, commandsKey+"=") }) {
		logger.Warn("this variable is the key that commands send: the mesh asks for none", "name", commandsKey, "did_you_mean", "GPTMESH_API_KEYS")
	}
}

// start wires rooms and starts them.
func start(ctx context.Context, s *settings, rooms []string) (*host, error) {
	h, err := newHost(ctx, s, rooms)
	if err != nil {
		return nil, err
	}
	warnOfStrays(h.logger, os.Environ(), h.authenticator.Open())
	if err := h.assemble(ctx, s); err != nil {
		return nil, errors.Join(err, h.group.Abandon())
	}
	if err := h.group.Start(ctx); err != nil {
		return nil, err
	}
	return h, nil
}

// assemble opens the admin listener, which stops last, and wires the rooms.
func (h *host) assemble(ctx context.Context, s *settings) error {
	if err := h.serveAdmin(s.Admin); err != nil {
		return err
	}
	return wire(ctx, s, h)
}
