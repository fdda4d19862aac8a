package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"

	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/services/classifier/learn"
)

// routingMeasureCommand shows where policies lie between cost and quality.
type routingMeasureCommand struct {
	routingFlags
	Data   []string `required:"" placeholder:"FILE.jsonl" help:"Rows with text, weak and strong: how well a weak and a strong model answered, 0 to 1. May be given again; - is standard input."`
	Weak   string   `required:"" placeholder:"MODEL" help:"The model of the mesh that stands for the weak one."`
	Strong string   `required:"" placeholder:"MODEL" help:"The model of the mesh that stands for the strong one."`
	Policy []string `default:"cheap,balanced,best" help:"The policies."`
	Max    int      `default:"0" help:"The most rows, from the first; 0 means all."`
}

// policyMeasure is what a policy does with the rows.
type policyMeasure struct {
	Policy string `json:"policy"`
	Rows   int    `json:"rows"`
	// Strong is the share of rows that go to the strong model, Other of those
	// that go to neither.
	Strong float64 `json:"strong_share"`
	Other  float64 `json:"other_share"`
	// Quality is the mean of the chosen model's column; Recovered the share of
	// the gap between always weak and always strong that this is. A choice by
	// chance recovers Strong.
	Quality   float64 `json:"quality"`
	Recovered float64 `json:"gap_recovered"`
	// Cost is the expected cost per 1,000 rows, in currency units.
	Cost float64 `json:"cost_per_1000"`
}

// Run asks the mesh about every row and calls no model.
func (c routingMeasureCommand) Run() error {
	rows, err := classifierInput(c.Data, os.Stdin)
	if err != nil {
		return err
	}
	if !rows[0].Routed {
		return errors.New(`the rows have no "weak" and "strong"`)
	}
	if c.Max > 0 {
		rows = rows[:min(c.Max, len(rows))]
	}
	var out []policyMeasure
	err = c.call(func(ctx context.Context, routing requestv1.RoutingServiceCaller) error {
		for _, policy := range c.Policy {
			m, err := c.measure(ctx, routing, policy, rows)
			if err != nil {
				return err
			}
			out = append(out, m)
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortStableFunc(out, func(a, b policyMeasure) int { return int(1e6 * (a.Cost - b.Cost)) })
	if c.JSON {
		return printJSON(os.Stdout, out)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	printMeasures(w, rows, out)
	return w.Flush()
}

func (c routingMeasureCommand) measure(ctx context.Context, routing requestv1.RoutingServiceCaller, policy string, rows []learn.Row) (policyMeasure, error) {
	m := policyMeasure{Policy: policy, Rows: len(rows)}
	weak, strong := columns(rows)
	n := float64(len(rows))
	for i := range rows {
		resp, err := routing.ExplainRoute(ctx, &requestv1.ExplainRouteRequest{Policy: policy, Text: rows[i].Text})
		if err != nil {
			return m, fmt.Errorf("row %d: %w", i+1, err)
		}
		m.Cost += float64(resp.GetDecision().GetCostEstimateNanos()) / 1e9 * 1000 / n
		switch resp.GetDecision().GetModel() {
		case c.Strong:
			m.Strong += 1 / n
			m.Quality += rows[i].Strong / n
		case c.Weak:
			m.Quality += rows[i].Weak / n
		default:
			m.Other += 1 / n
			m.Quality += rows[i].Weak / n
		}
	}
	if strong > weak {
		m.Recovered = (m.Quality - weak) / (strong - weak)
	}
	return m, nil
}

// columns are the means of always weak and always strong.
func columns(rows []learn.Row) (weak, strong float64) {
	for i := range rows {
		weak += rows[i].Weak / float64(len(rows))
		strong += rows[i].Strong / float64(len(rows))
	}
	return weak, strong
}

func printMeasures(w io.Writer, rows []learn.Row, list []policyMeasure) {
	weak, strong := columns(rows)
	fmt.Fprintln(w, "POLICY\tTO THE STRONG\tQUALITY\tGAP RECOVERED\tBY CHANCE\tCOST PER 1000\tREMARK")
	fmt.Fprintf(w, "always weak\t0 %%\t%.3f\t0 %%\t0 %%\t\t\n", weak)
	for _, m := range list {
		remark := ""
		if m.Other > 0 {
			remark = fmt.Sprintf("%.0f %% go to other models and count as the weak one's", 100*m.Other)
		}
		fmt.Fprintf(w, "%s\t%.0f %%\t%.3f\t%.0f %%\t%.0f %%\t%s\t%s\n", m.Policy, 100*m.Strong, m.Quality, 100*m.Recovered, 100*m.Strong, money(m.Cost), remark)
	}
	fmt.Fprintf(w, "always strong\t100 %%\t%.3f\t100 %%\t100 %%\t\t\n", strong)
}
