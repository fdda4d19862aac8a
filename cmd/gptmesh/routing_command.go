package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// routingCommand is about how a running mesh chooses models for "auto".
type routingCommand struct {
	Policies    routingPoliciesCommand    `cmd:"" help:"List the routing policies and the models that each can choose."`
	Explain     routingExplainCommand     `cmd:"" help:"Say which model a policy would choose for a text, and why. Calls no model."`
	Replay      routingReplayCommand      `cmd:"" help:"Say what a policy would have done with past requests, and what they would have cost."`
	Measure     routingMeasureCommand     `cmd:"" help:"Say how much of the quality of a strong model policies recover, and at what cost, on rows that say how a weak and a strong model answered. Calls no model."`
	Experiments routingExperimentsCommand `cmd:"" help:"List experiments."`
	Experiment  routingExperimentCommand  `cmd:"" help:"Begin, change, end or read an experiment."`
	Rate        routingRateCommand        `cmd:"" help:"Say how good the answer of a request was."`
}

// routingFlags are what all subcommands take.
type routingFlags struct {
	clientFlags
	JSON bool `help:"Print JSON." name:"json"`
}

// call calls the mesh.
func (f routingFlags) call(do func(ctx context.Context, routing requestv1.RoutingServiceCaller) error) error {
	conn, err := f.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(f.context(context.Background()), 2*time.Minute)
	defer cancel()
	return f.explain(do(ctx, requestv1.RemoteRoutingService(conn)))
}

// print shows m as JSON where that is asked for, else by text.
func (f routingFlags) print(m proto.Message, text func(w io.Writer)) error {
	if f.JSON {
		data, err := protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}.Marshal(m)
		if err != nil {
			return err
		}
		return printJSON(os.Stdout, json.RawMessage(data))
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	text(w)
	return w.Flush()
}

type routingPoliciesCommand struct{ routingFlags }

// Run lists policies.
func (c routingPoliciesCommand) Run() error {
	return c.call(func(ctx context.Context, routing requestv1.RoutingServiceCaller) error {
		resp, err := routing.ListPolicies(ctx, &requestv1.ListPoliciesRequest{})
		if err != nil {
			return err
		}
		return c.print(resp, func(w io.Writer) {
			fmt.Fprintln(w, "MODEL\tVERSION\tDEFAULT\tCANDIDATES\tWHAT")
			for _, p := range resp.GetPolicies() {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", p.GetModel(), p.GetVersion(), orDash(p.GetDefaultModel()), some(p.GetCandidates()), p.GetDescription())
			}
		})
	})
}

// some is the first few of a list.
func some(list []string) string {
	switch {
	case len(list) == 0:
		return "none"
	case len(list) > 4:
		return fmt.Sprintf("%s … %d in all", strings.Join(list[:4], ", "), len(list))
	}
	return strings.Join(list, ", ")
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

type routingExplainCommand struct {
	routingFlags
	Policy  string `help:"The policy." default:"auto"`
	Session string `help:"The session that the text would continue." placeholder:"ID"`
	Text    string `arg:"" help:"The text of a user."`
}

// Run explains a choice.
func (c routingExplainCommand) Run() error {
	return c.call(func(ctx context.Context, routing requestv1.RoutingServiceCaller) error {
		resp, err := routing.ExplainRoute(ctx, &requestv1.ExplainRouteRequest{Policy: c.Policy, Text: c.Text, SessionId: c.Session})
		if err != nil {
			return err
		}
		return c.print(resp, func(w io.Writer) { printDecision(w, resp.GetDecision()) })
	})
}

// printDecision shows a trace.
func printDecision(w io.Writer, d *requestv1.Decision) {
	model := d.GetModel()
	if model == "" {
		model = "(the mesh's default model)"
	}
	fmt.Fprintf(w, "Model:\t%s\n", model)
	fmt.Fprintf(w, "Policy:\t%s %s\n", d.GetPolicy(), d.GetPolicyVersion())
	fmt.Fprintf(w, "Why:\t%s\n", d.GetReason())
	if d.GetTier() != "" {
		fmt.Fprintf(w, "Classifier:\t%s, %s (tier %s, confidence %.2f, %d µs)\n", d.GetTaskType(), d.GetComplexity(), d.GetTier(), d.GetConfidence(), d.GetClassifyMicros())
	}
	if f := d.GetFeatures(); f != nil {
		var required []string
		for _, capability := range f.GetRequired() {
			required = append(required, strings.ToLower(strings.TrimPrefix(capability.String(), "CAPABILITY_")))
		}
		fmt.Fprintf(w, "Turn:\tneed %.2f, about %d tokens in, %d out", f.GetNeed(), f.GetInputTokens(), f.GetExpectedOutputTokens())
		if len(required) > 0 {
			fmt.Fprintf(w, ", needs %s", strings.Join(required, ", "))
		}
		fmt.Fprintln(w)
	}
	for _, e := range d.GetExperiments() {
		fmt.Fprintf(w, "Experiment:\t%s: %s (%s)", e.GetExperiment(), e.GetVariant(), e.GetPolicy())
		if e.GetShadowModel() != "" {
			fmt.Fprintf(w, ", the shadow chose %s", e.GetShadowModel())
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "Took:\t%d µs\n\n", d.GetElapsedMicros())
	if len(d.GetCandidates()) == 0 {
		fmt.Fprintln(w, "No candidates. \"gptmesh models\" lists what can be reached; a test model is never chosen.")
		return
	}
	fmt.Fprintln(w, "CANDIDATE\tSCORE\tQUALITY\tFIT\tPRICE\tLATENCY\tSUCCESS\tCOST\tREMARK")
	for _, c := range d.GetCandidates() {
		if !c.GetEligible() {
			fmt.Fprintf(w, "%s\t-\t%.2f\t\t\t\t\t%s\tno: %s\n", c.GetModel(), c.GetQuality(), nanos(c.GetCostEstimateNanos()), c.GetReason())
			continue
		}
		fmt.Fprintf(w, "%s\t%.3f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%s\t%s\n", c.GetModel(), c.GetScore(), c.GetQuality(), c.GetFit(), c.GetPrice(),
			c.GetLatency(), c.GetSuccess(), nanos(c.GetCostEstimateNanos()), c.GetReason())
	}
	if n := d.GetOmittedCandidates(); n > 0 {
		fmt.Fprintf(w, "… and %d more\n", n)
	}
}

func nanos(n int64) string {
	if n == 0 {
		return "-"
	}
	return money(float64(n) / 1e9)
}

// money is an amount of currency units, with the digits that matter.
func money(x float64) string {
	switch {
	case x == 0:
		return "0"
	case x < 0.01 && x > -0.01:
		return fmt.Sprintf("%.6f", x)
	}
	return fmt.Sprintf("%.4f", x)
}

type routingRateCommand struct {
	routingFlags
	Request string  `arg:"" help:"The request, as in the header x-gptmesh-request."`
	Rating  float64 `arg:"" help:"From 0 (useless) to 1 (perfect)."`
}

// Run rates a request.
func (c routingRateCommand) Run() error {
	return c.call(func(ctx context.Context, routing requestv1.RoutingServiceCaller) error {
		_, err := routing.RateRequest(ctx, &requestv1.RateRequestRequest{RequestId: c.Request, Rating: c.Rating})
		return err
	})
}
