// Package rabbitmq runs a RabbitMQ server for tests: a program of the machine,
// with a folder, ports and an Erlang port mapper of its own.
package rabbitmq

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// ErrNoServer says that the machine has no RabbitMQ.
var ErrNoServer = errors.New("no RabbitMQ server found: install one (Debian: apt-get install rabbitmq-server)")

// Server is a server that can be killed and started again.
type Server struct {
	dir, program       string
	port, dist, mapper int
	cmd                *exec.Cmd
	epmd               *exec.Cmd
	exited             chan struct{}
	output             bytes.Buffer
}

// program finds the server's program. The one on the path is a wrapper that
// wants an account of its own.
func program() (string, error) {
	for _, pattern := range []string{
		"/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server", "/opt/rabbitmq*/sbin/rabbitmq-server",
		"/usr/local/sbin/rabbitmq-server", "/opt/homebrew/sbin/rabbitmq-server",
	} {
		if found, err := filepath.Glob(pattern); err == nil && len(found) > 0 {
			return found[len(found)-1], nil
		}
	}
	return "", ErrNoServer
}

// New makes a server with its data in dir; Start starts it.
func New(dir string) (*Server, error) {
	path, err := program()
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, program: path}
	for _, port := range []*int{&s.port, &s.dist, &s.mapper} {
		if *port, err = freePort(); err != nil {
			return nil, err
		}
	}
	files := map[string]string{
		"plugins": "[].\n",
		"rabbitmq.conf": fmt.Sprintf("listeners.tcp.1 = 127.0.0.1:%d\nlog.console = true\nlog.console.level = error\nlog.file = false\n"+
			"max_message_size = %d\ndisk_free_limit.absolute = 1MB\n", s.port, MaxMessageSize),
		".erlang.cookie": "gptmeshtest",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o400|0o200*btoi(name != ".erlang.cookie")); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// MaxMessageSize is the largest message that the server takes, in bytes.
const MaxMessageSize = 1 << 20

func btoi(b bool) os.FileMode {
	if b {
		return 1
	}
	return 0
}

// Address is where it listens.
func (s *Server) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// URL is the server for a client, or for one that goes by another address.
func URL(address string) string { return "amqp://guest:guest@" + address + "/" }

// Start starts the server and waits until it serves.
func (s *Server) Start(ctx context.Context) error {
	env := append(os.Environ(),
		"HOME="+s.dir, "RABBITMQ_NODENAME=gptmesh"+strconv.Itoa(s.port)+"@localhost", "RABBITMQ_NODE_PORT="+strconv.Itoa(s.port),
		"RABBITMQ_DIST_PORT="+strconv.Itoa(s.dist), "ERL_EPMD_PORT="+strconv.Itoa(s.mapper), "ERL_EPMD_ADDRESS=127.0.0.1",
		"RABBITMQ_MNESIA_BASE="+filepath.Join(s.dir, "mnesia"), "RABBITMQ_LOG_BASE="+filepath.Join(s.dir, "log"),
		"RABBITMQ_ENABLED_PLUGINS_FILE="+filepath.Join(s.dir, "plugins"), "RABBITMQ_CONF_ENV_FILE=/dev/null",
		"RABBITMQ_CONFIG_FILE="+filepath.Join(s.dir, "rabbitmq"), "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}",
		"RABBITMQ_ALLOW_INPUT=1", "RABBITMQ_SERVER_START_ARGS=-noinput", // the script becomes the server: it ends with this program
		"ERL_FLAGS=+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none")
	if s.epmd == nil { // else the server starts one that outlives it
		s.epmd = exec.Command("epmd")
		s.epmd.Env, s.epmd.SysProcAttr = env, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := s.epmd.Start(); err != nil {
			return fmt.Errorf("epmd: %w", err)
		}
		for mapper := net.JoinHostPort("127.0.0.1", strconv.Itoa(s.mapper)); ; time.Sleep(10 * time.Millisecond) {
			conn, err := net.Dial("tcp", mapper)
			if err == nil {
				_ = conn.Close()
				break
			}
			if ctx.Err() != nil {
				return fmt.Errorf("epmd: %w", err)
			}
		}
	}
	s.output.Reset()
	s.cmd = exec.Command(s.program)
	s.cmd.Env, s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = env, s.dir, &s.output, &s.output
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	s.cmd.WaitDelay = time.Second
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.exited = make(chan struct{})
	go func() {
		_ = s.cmd.Wait()
		close(s.exited)
	}()
	for {
		select {
		case <-s.exited:
			return fmt.Errorf("rabbitmq-server ended: %s", s.output.String())
		case <-ctx.Done():
			s.Kill()
			return fmt.Errorf("rabbitmq-server does not start: %s", s.output.String())
		case <-time.After(100 * time.Millisecond):
		}
		if s.serves() {
			return nil
		}
	}
}

// serves asks for the protocol's greeting.
func (s *Server) serves() bool {
	conn, err := net.DialTimeout("tcp", s.Address(), time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write([]byte("AMQP\x00\x00\x09\x01")); err != nil {
		return false
	}
	_, err = conn.Read(make([]byte, 1))
	return err == nil
}

// Kill kills the server and all that it started, at once.
func (s *Server) Kill() {
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	<-s.exited
}

// Close kills the server and its port mapper.
func (s *Server) Close() {
	if s.cmd != nil {
		s.Kill()
	}
	if s.epmd != nil {
		_ = s.epmd.Process.Kill()
		_ = s.epmd.Wait()
	}
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
