package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// usageCommand reads the ledger of a running mesh.
type usageCommand struct {
	Show      usageShow      `cmd:"" default:"withargs" help:"Sum what was used: tokens and cost (the default)."`
	Reconcile usageReconcile `cmd:"" help:"Compare a provider's invoice (CSV) with the ledger."`
}

// usageShow sums rows of the ledger.
type usageShow struct {
	clientFlags
	By       []string `help:"Group by these, with commas: user, key, session, model, provider, day, target, route." default:"model" placeholder:"WHAT"`
	Since    string   `help:"From when: a day (2026-11-28), a time (RFC 3339), or how long ago (24h, 7d)." placeholder:"WHEN"`
	Until    string   `help:"Until when, as --since." placeholder:"WHEN"`
	User     string   `help:"Only this end user." placeholder:"ID"`
	Session  string   `help:"Only this session." placeholder:"ID"`
	Provider string   `help:"Only this provider." placeholder:"NAME"`
	Model    string   `help:"Only this model, as its provider names it." placeholder:"NAME"`
	JSON     bool     `help:"Print JSON: one object for each group."`
}

// Run prints the groups.
func (c usageShow) Run() error {
	req := &gptv1.QueryUsageRequest{UserId: c.User, SessionId: c.Session, Provider: c.Provider, Model: c.Model, PageSize: 1000}
	for _, name := range c.By {
		dimension, ok := gptv1.UsageDimension_value["USAGE_DIMENSION_"+strings.ToUpper(name)]
		if !ok || dimension == 0 {
			return fmt.Errorf("--by: nothing is called %q; use user, key, session, model, provider, day, target, route", name)
		}
		req.GroupBy = append(req.GroupBy, gptv1.UsageDimension(dimension))
	}
	var err error
	if req.After, err = moment("--since", c.Since, time.Now()); err != nil {
		return err
	}
	if req.Before, err = moment("--until", c.Until, time.Now()); err != nil {
		return err
	}
	conn, err := c.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(c.context(context.Background()), time.Minute)
	defer cancel()
	var groups []*gptv1.UsageGroup
	for {
		resp, err := gptv1.RemoteUsageService(conn).QueryUsage(ctx, req)
		if err != nil {
			return c.explain(err)
		}
		groups = append(groups, resp.GetGroups()...)
		if req.PageToken = resp.GetNextPageToken(); req.PageToken == "" {
			break
		}
	}
	if c.JSON {
		for _, group := range groups {
			if err := printMessage(group); err != nil {
				return err
			}
		}
		return nil
	}
	return c.table(groups)
}

func (c usageShow) table(groups []*gptv1.UsageGroup) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	for _, name := range c.By {
		fmt.Fprint(w, strings.ToUpper(name), "\t")
	}
	fmt.Fprintln(w, "CALLS\tFAILED\tCANCELLED\tUNKNOWN\tINPUT\tCACHED\tOUTPUT\tREASONING\tCOST\tNOT COUNTED BY PROVIDER")
	total := &gptv1.UsageGroup{}
	costs := map[string]int64{}
	row := func(g *gptv1.UsageGroup, cost string) {
		fmt.Fprintf(w, "%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t%d\n", g.GetAttempts(), g.GetFailed(), g.GetCancelled(), g.GetUnknown(),
			g.GetInputTokens(), g.GetCachedInputTokens(), g.GetOutputTokens(), g.GetReasoningTokens(), cost, g.GetEstimated()+g.GetPartial())
	}
	for _, g := range groups {
		for _, key := range g.GetKeys() {
			if key == "" {
				key = "-"
			}
			fmt.Fprint(w, key, "\t")
		}
		row(g, costText(g.GetCostNanos(), g.GetCurrency()))
		total.Attempts += g.GetAttempts()
		total.Failed += g.GetFailed()
		total.Cancelled += g.GetCancelled()
		total.Unknown += g.GetUnknown()
		total.InputTokens += g.GetInputTokens()
		total.CachedInputTokens += g.GetCachedInputTokens()
		total.OutputTokens += g.GetOutputTokens()
		total.ReasoningTokens += g.GetReasoningTokens()
		total.Estimated += g.GetEstimated() + g.GetPartial()
		costs[g.GetCurrency()] += g.GetCostNanos()
	}
	if len(groups) > 1 {
		cost := "-"
		if delete(costs, ""); len(costs) == 1 {
			for currency, nanos := range costs {
				cost = costText(nanos, currency)
			}
		}
		for i := range c.By {
			fmt.Fprint(w, map[bool]string{true: "total"}[i == 0], "\t")
		}
		row(total, cost)
	}
	return w.Flush()
}

func costText(nanos int64, currency string) string {
	if currency == "" {
		return "-"
	}
	return fmt.Sprintf("%.6f %s", float64(nanos)/1e9, currency)
}

// moment reads a day, a time, or a time ago.
func moment(flag, text string, now time.Time) (*timestamppb.Timestamp, error) {
	if text == "" {
		return nil, nil
	}
	for _, form := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(form, text); err == nil {
			return timestamppb.New(t), nil
		}
	}
	days := 0
	if n, err := fmt.Sscanf(text, "%dd", &days); err == nil && n == 1 && fmt.Sprintf("%dd", days) == text && days >= 0 {
		return timestamppb.New(now.AddDate(0, 0, -days)), nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return timestamppb.New(now.Add(-ago)), nil
	}
	return nil, fmt.Errorf("%s: want a day (2026-11-28), a time (2026-11-28T10:00:00Z), or how long ago (24h, 7d)", flag)
}

// usageReconcile compares an invoice with the ledger.
type usageReconcile struct {
	clientFlags
	File      string  `arg:"" help:"The invoice, a CSV whose first line names its columns; - reads it from standard input." placeholder:"FILE.csv"`
	Provider  string  `help:"Whose invoice it is, where it has no such column." placeholder:"NAME"`
	Since     string  `help:"From when the ledger is compared; the invoice's first day by default." placeholder:"WHEN"`
	Until     string  `help:"Until when; the end of its last day by default." placeholder:"WHEN"`
	Tolerance float64 `help:"How far two costs may lie apart, as a share." default:"0.005"`
	JSON      bool    `help:"Print the report as JSON."`
}

// errDiffers ends the command with status 1, for scripts.
var errDiffers = errors.New("invoice and ledger differ")

// Run prints the report.
func (c usageReconcile) Run() error {
	invoice, err := readInvoice(c.File)
	if err != nil {
		return err
	}
	req := &gptv1.ReconcileRequest{Csv: invoice, Provider: c.Provider, CostTolerance: c.Tolerance}
	if req.After, err = moment("--since", c.Since, time.Now()); err != nil {
		return err
	}
	if req.Before, err = moment("--until", c.Until, time.Now()); err != nil {
		return err
	}
	conn, err := c.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(c.context(context.Background()), 5*time.Minute)
	defer cancel()
	resp, err := gptv1.RemoteUsageService(conn).Reconcile(ctx, req)
	if err != nil {
		return c.explain(err)
	}
	if c.JSON {
		err = printMessage(resp)
	} else {
		err = printReport(resp)
	}
	if err == nil && len(resp.GetDifferences()) > 0 {
		err = errDiffers
	}
	return err
}

// maxInvoice is the contract's bound.
const maxInvoice = 16 << 20

func readInvoice(file string) (string, error) {
	in := io.Reader(os.Stdin)
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", err
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxInvoice+1))
	if err == nil && len(text) > maxInvoice {
		err = fmt.Errorf("%s: an invoice may have 16 MiB at the most; split it by days", file)
	}
	return string(text), err
}

func printReport(resp *gptv1.ReconcileResponse) error {
	fmt.Printf("%d lines of the invoice, %d rows of the ledger\n", resp.GetLines(), resp.GetRows())
	fmt.Printf("matched %d · missing here %d · missing there %d · different tokens %d · different cost %d\n",
		resp.GetMatched(), resp.GetMissingHere(), resp.GetMissingThere(), resp.GetDifferentTokens(), resp.GetDifferentCost())
	if len(resp.GetDifferences()) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "\nWHAT\tLINE\tKEY\tINVOICE calls/in/out/cost\tLEDGER calls/in/out/cost")
	for _, d := range resp.GetDifferences() {
		line := "-"
		if d.GetLine() > 0 {
			line = fmt.Sprint(d.GetLine())
		}
		what := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(d.GetKind().String(), "KIND_"), "_", " "))
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", what, line, d.GetKey(), side(d.GetInvoice()), side(d.GetLedger()))
	}
	return w.Flush()
}

func side(a *gptv1.UsageAmount) string {
	if a == nil {
		return "-"
	}
	return fmt.Sprintf("%d/%d/%d/%.6f", a.GetCalls(), a.GetInputTokens(), a.GetOutputTokens(), float64(a.GetCostNanos())/1e9)
}

func printMessage(m proto.Message) error {
	text, err := protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}.Marshal(m)
	if err != nil {
		return err
	}
	_, err = fmt.Println(string(text))
	return err
}
