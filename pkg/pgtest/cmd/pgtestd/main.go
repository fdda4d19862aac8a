// Command pgtestd runs a command with a throw-away PostgreSQL beside it:
//
//	go run ./pkg/pgtest/cmd/pgtestd -- go test ./...
//
// The command finds the server in GPTMESH_TEST_DATABASE_URL, so that all test
// packages share it. The server stops with the command, whose exit code is
// passed on. When the variable is set already, the command just runs. Without
// a command the server runs until it is interrupted.
//
// Where the server's binaries are missing, and this is root on a Debian
// system, the postgresql package is installed first; -install=false leaves
// that out.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/gptmesh/gptmesh/pkg/pgtest"
)

// startTimeout is generous: the machine may be compiling all the tests.
const startTimeout = 2 * time.Minute

func main() { os.Exit(run()) }

func run() int {
	install := flag.Bool("install", true, "as root, install Debian's postgresql package when there is no server")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: pgtestd [-install=false] [-- command [argument ...]]")
		flag.PrintDefaults()
	}
	flag.Parse()
	// From here on a signal ends the command, and only then the server.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)

	if os.Getenv(pgtest.EnvURL) != "" && flag.NArg() > 0 {
		return execute(flag.Args(), os.Environ(), signals)
	}
	cluster, err := start(*install)
	if err != nil {
		fmt.Fprintln(os.Stderr, "pgtestd:", err)
		return 1
	}
	defer cluster.Stop()
	setting := pgtest.EnvURL + "=" + cluster.URL()
	fmt.Fprintln(os.Stderr, setting)
	if flag.NArg() == 0 {
		<-signals
		return 0
	}
	return execute(flag.Args(), append(os.Environ(), setting), signals)
}

func start(install bool) (*pgtest.Cluster, error) {
	cluster, err := startOnce()
	if !errors.Is(err, pgtest.ErrNoServer) || !install || !canInstall() {
		return cluster, err
	}
	fmt.Fprintln(os.Stderr, "pgtestd: installing the postgresql package")
	if failed := installServer(); failed != nil {
		return nil, errors.Join(err, failed)
	}
	return startOnce()
}

func startOnce() (*pgtest.Cluster, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	return pgtest.Start(ctx)
}
