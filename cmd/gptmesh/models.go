package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
)

type modelsCommand struct {
	clientFlags
}

// Run lists models, and providers whose models are not known.
func (c modelsCommand) Run() error {
	conn, err := c.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(c.context(context.Background()), 30*time.Second)
	defer cancel()
	resp, err := gptv1.RemoteGPTService(conn).ListModels(ctx, &gptv1.ListModelsRequest{})
	if err != nil {
		return c.explain(err)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "MODEL\tPROVIDER\tCONTEXT\tCAN\tALSO CALLED")
	for _, m := range resp.GetModels() {
		name := m.GetId()
		if m.GetIsDefault() {
			name += " (default)"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", name, m.GetProvider(), length(m.GetContextLength()), abilities(m), strings.Join(m.GetAliases(), ", "))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, p := range resp.GetUnreachable() {
		fmt.Printf("\n%s is not reachable: %s\n", p.GetName(), p.GetReason())
	}
	known, err := gptv1.RemoteGPTService(conn).ListProviders(ctx, &gptv1.ListProvidersRequest{Known: true})
	if err != nil {
		return c.explain(err)
	}
	fmt.Println("\nNot configured:")
	for _, p := range known.GetProviders() {
		if p.GetState() == gptv1.Provider_STATE_NOT_CONFIGURED {
			fmt.Fprintf(w, "  %s\t%s\n", p.GetName(), p.GetReason())
		}
	}
	return w.Flush()
}

func length(tokens int64) string {
	if tokens == 0 {
		return "?"
	}
	return fmt.Sprint(tokens)
}

func abilities(m *gptv1.Model) string {
	var out []string
	for _, c := range m.GetCapabilities() {
		out = append(out, strings.ToLower(strings.TrimPrefix(c.String(), "CAPABILITY_")))
	}
	return strings.Join(out, ",")
}
