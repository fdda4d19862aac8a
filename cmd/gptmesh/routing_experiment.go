package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
)

type routingExperimentsCommand struct{ routingFlags }

// Run lists experiments.
func (c routingExperimentsCommand) Run() error {
	return c.call(func(ctx context.Context, routing requestv1.RoutingServiceCaller) error {
		resp, err := routing.ListExperiments(ctx, &requestv1.ListExperimentsRequest{})
		if err != nil {
			return err
		}
		return c.print(resp, func(w io.Writer) {
			fmt.Fprintln(w, "EXPERIMENT\tMODE\tPOLICY\tTREATMENT\tSHARE\tSTATE")
			for _, e := range resp.GetExperiments() {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%g %%\t%s\n", e.GetName(), word(e.GetMode()), e.GetPolicy(), e.GetTreatment(), e.GetPercent(), stateOf(e))
			}
		})
	})
}

// word is an enum's value in a terminal.
func word(v fmt.Stringer) string {
	_, text, _ := strings.Cut(v.String(), "_")
	return strings.ToLower(text)
}

func stateOf(e *requestv1.Experiment) string {
	switch {
	case e.GetEndTime() != nil:
		return "ended " + e.GetEndTime().AsTime().Format("2006-01-02 15:04")
	case e.GetConfigured():
		return "runs (configured)"
	}
	return "runs"
}

// routingExperimentCommand begins, changes, ends and reads experiments.
type routingExperimentCommand struct {
	Begin experimentBeginCommand `cmd:"" help:"Begin an A/B test, or with --shadow a treatment that decides and does not act."`
	Share experimentShareCommand `cmd:"" help:"Change the treatment's share. Followed by every process within seconds."`
	End   experimentEndCommand   `cmd:"" help:"End an experiment: all requests go to the control again."`
	Show  experimentShowCommand  `cmd:"" help:"Show the results."`
}

type experimentBeginCommand struct {
	routingFlags
	Name       string  `arg:"" help:"The experiment's name."`
	Policy     string  `help:"Whose requests take part, and the control." default:"auto"`
	Treatment  string  `help:"The other policy." required:""`
	Percent    float64 `help:"The treatment's share of keys." default:"50"`
	Shadow     bool    `help:"The treatment decides and does not act."`
	By         string  `help:"What a request is assigned by." enum:"session,user,owner" default:"session"`
	Metric     string  `help:"What a winner is found by." enum:"success,latency,cost,rating" default:"success"`
	MinSamples int64   `help:"How many requests each variant needs." default:"100"`
	Alpha      float64 `help:"The chance of a false alarm that is accepted." default:"0.05"`
}

// Run begins an experiment.
func (c experimentBeginCommand) Run() error {
	e := &requestv1.Experiment{
		Name: c.Name, Policy: c.Policy, Treatment: c.Treatment, Percent: c.Percent, Mode: requestv1.Experiment_MODE_SPLIT,
		Key:        requestv1.Experiment_Key(requestv1.Experiment_Key_value["KEY_"+strings.ToUpper(c.By)]),
		Metric:     requestv1.Experiment_Metric(requestv1.Experiment_Metric_value["METRIC_"+strings.ToUpper(c.Metric)]),
		MinSamples: c.MinSamples, Alpha: c.Alpha,
	}
	if c.Shadow {
		e.Mode = requestv1.Experiment_MODE_SHADOW
	}
	return c.call(func(ctx context.Context, routing requestv1.RoutingServiceCaller) error {
		resp, err := routing.CreateExperiment(ctx, &requestv1.CreateExperimentRequest{Experiment: e})
		if err != nil {
			return err
		}
		return c.show(resp.GetExperiment())
	})
}

// show says in one line what an experiment is.
func (f routingFlags) show(e *requestv1.Experiment) error {
	return f.print(e, func(w io.Writer) {
		fmt.Fprintf(w, "%s: %s of %s, %g %% to %s: %s\n", e.GetName(), word(e.GetMode()), e.GetPolicy(), e.GetPercent(), e.GetTreatment(), stateOf(e))
	})
}

type experimentShareCommand struct {
	routingFlags
	Name    string  `arg:"" help:"The experiment."`
	Percent float64 `arg:"" help:"The treatment's share of keys, 0 to 100."`
}

// Run changes a share.
func (c experimentShareCommand) Run() error {
	return c.call(func(ctx context.Context, routing requestv1.RoutingServiceCaller) error {
		resp, err := routing.UpdateExperiment(ctx, &requestv1.UpdateExperimentRequest{Experiment: c.Name, Percent: c.Percent})
		if err != nil {
			return err
		}
		return c.show(resp.GetExperiment())
	})
}

type experimentEndCommand struct {
	routingFlags
	Name string `arg:"" help:"The experiment."`
}

// Run ends an experiment.
func (c experimentEndCommand) Run() error {
	return c.call(func(ctx context.Context, routing requestv1.RoutingServiceCaller) error {
		resp, err := routing.EndExperiment(ctx, &requestv1.EndExperimentRequest{Experiment: c.Name})
		if err != nil {
			return err
		}
		return c.show(resp.GetExperiment())
	})
}

type experimentShowCommand struct {
	routingFlags
	Name string `arg:"" help:"The experiment."`
}

// Run shows results.
func (c experimentShowCommand) Run() error {
	return c.call(func(ctx context.Context, routing requestv1.RoutingServiceCaller) error {
		resp, err := routing.GetExperiment(ctx, &requestv1.GetExperimentRequest{Experiment: c.Name})
		if err != nil {
			return err
		}
		return c.print(resp, func(w io.Writer) { printResults(w, resp) })
	})
}

func printResults(w io.Writer, r *requestv1.GetExperimentResponse) {
	e := r.GetExperiment()
	fmt.Fprintf(w, "%s: %s of %s, %g %% to %s: %s\n%s.\n", e.GetName(), word(e.GetMode()), e.GetPolicy(), e.GetPercent(), e.GetTreatment(), stateOf(e), r.GetVerdict())
	if s := r.GetShadow(); s != nil {
		fmt.Fprintf(w, "They cost %s %s and would have cost %s %s%s.\n", money(s.GetCost()), r.GetCurrency(), money(s.GetShadowCost()), r.GetCurrency(),
			change(s.GetCost(), s.GetShadowCost()))
		printShifts(w, s.GetShifts())
		return
	}
	fmt.Fprintln(w, "\nVARIANT\tPOLICY\tREQUESTS\tSUCCESS\tSECONDS\tCOST EACH\tRATING")
	for _, v := range r.GetVariants() {
		fmt.Fprintf(w, "%s\t%s\t%d\t%.1f %%\t%.2f\t%s\t%s\n", v.GetVariant(), v.GetPolicy(), v.GetRequests(), 100*v.GetSuccess().GetMean(),
			v.GetLatency().GetMean(), money(v.GetCost().GetMean()), rating(v.GetRating()))
	}
	fmt.Fprintln(w, "\nMETRIC\tDIFFERENCE\tTEST\tP\tBETTER")
	for _, m := range r.GetComparisons() {
		better := m.GetBetter()
		switch {
		case !m.GetEnough():
			better = "too few requests"
		case better == "":
			better = "not significant"
		}
		fmt.Fprintf(w, "%s\t%+.4g\t%s\t%.3g\t%s\n", word(m.GetMetric()), m.GetDifference(), m.GetTest(), m.GetPValue(), better)
	}
}

func rating(s *requestv1.Samples) string {
	if s.GetCount() == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f of %d", s.GetMean(), s.GetCount())
}
