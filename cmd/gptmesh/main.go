// Command gptmesh is the whole mesh: every room, every subcommand.
package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/alecthomas/kong"
)

// version is set by the linker in releases.
var version = "dev"

// commands are the subcommands.
type commands struct {
	Up         upCommand         `cmd:"" help:"Run every room in this process, on embedded stores or PostgreSQL."`
	Serve      serveCommand      `cmd:"" help:"Run some rooms in this process; the others are found by address."`
	Chat       chatCommand       `cmd:"" help:"Talk to a model in the terminal, through a running mesh."`
	Models     modelsCommand     `cmd:"" help:"List the models that a running mesh can reach, and why others are not reachable."`
	Requests   requestsCommand   `cmd:"" help:"Show what became of requests, and why their models were chosen."`
	Routing    routingCommand    `cmd:"" help:"Say how models are chosen for \"auto\", replay policies, run experiments."`
	Usage      usageCommand      `cmd:"" help:"Show what was used and what it cost, or compare it with an invoice."`
	Config     configCommand     `cmd:"" help:"Print or verify the configuration."`
	Migrate    migrateCommand    `cmd:"" help:"Bring the stores to this version, or show where they are."`
	Doctor     doctorCommand     `cmd:"" help:"Say what is wrong and what to do."`
	Certs      certsCommand      `cmd:"" help:"Make a development CA and certificates for mutual TLS between rooms."`
	Classifier classifierCommand `cmd:"" help:"Ask and teach the classifier; train and measure its models."`
	Events     eventsCommand     `cmd:"" help:"Follow, replay and publish events of a running mesh."`
	Version    versionCommand    `cmd:"" help:"Print the version."`

	PrintVersion kong.VersionFlag `name:"version" help:"Print the version."`
}

func main() {
	sampleAllocations()
	var c commands
	parser := kong.Must(&c, kong.Name("gptmesh"), kong.ShortUsageOnError(), kong.Vars{"version": "gptmesh " + version},
		kong.Description("A self-hosted platform for language-model work: OpenAI-, Anthropic- and Ollama-compatible endpoints, sessions, and a gRPC mesh."))
	k, err := parser.Parse(arguments(os.Args[1:]))
	parser.FatalIfErrorf(err)
	if err := k.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "gptmesh:", err)
		os.Exit(1)
	}
}

// arguments are those given, but that "help" before a command is "--help" behind it.
func arguments(given []string) []string {
	if len(given) > 0 && given[0] == "help" {
		return append(slices.Clone(given[1:]), "--help")
	}
	return given
}

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run() error {
	_, err := fmt.Println("gptmesh", version)
	return err
}
