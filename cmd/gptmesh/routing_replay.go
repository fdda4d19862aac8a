package main

import (
	"context"
	"fmt"
	"io"
	"time"

	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

type routingReplayCommand struct {
	routingFlags
	Policy string        `help:"The policy." default:"auto"`
	Since  time.Duration `help:"How far back." default:"24h"`
	Until  time.Duration `help:"How far back to stop." default:"0s"`
	From   string        `help:"Only requests that this policy decided." placeholder:"POLICY"`
	Named  bool          `help:"Take requests in whose model the client named: of those only the tokens are known."`
	Max    int32         `help:"The most requests to replay, newest first; 0 means 20,000." default:"0"`
}

// Run replays a policy.
func (c routingReplayCommand) Run() error {
	return c.call(func(ctx context.Context, routing requestv1.RoutingServiceCaller) error {
		now := time.Now()
		resp, err := routing.ReplayPolicy(ctx, &requestv1.ReplayPolicyRequest{
			Policy: c.Policy, After: timestamppb.New(now.Add(-c.Since)), Before: timestamppb.New(now.Add(-c.Until)),
			FromPolicy: c.From, IncludeNamed: c.Named, MaxRequests: c.Max,
		})
		if err != nil {
			return err
		}
		return c.print(resp, func(w io.Writer) { printReplay(w, resp) })
	})
}

func printReplay(w io.Writer, r *requestv1.ReplayPolicyResponse) {
	fmt.Fprintf(w, "Policy %s (%s) over %d requests: the same model for %d.\n", r.GetPolicy(), r.GetPolicyVersion(), r.GetRequests(), r.GetSame())
	fmt.Fprintf(w, "They cost %s %s and would have cost %s %s%s.\n", money(r.GetCost()), r.GetCurrency(), money(r.GetReplayCost()), r.GetCurrency(),
		change(r.GetCost(), r.GetReplayCost()))
	for _, remark := range []struct {
		n    int64
		text string
	}{
		{r.GetDefaulted(), "go to the default target"}, {r.GetEstimated(), "have estimated tokens only"},
		{r.GetUnpriced(), "have no price on one side and are in neither cost"}, {r.GetSkipped(), "were passed over: the client named the model, or they have not ended"},
	} {
		if remark.n > 0 {
			fmt.Fprintf(w, "%d %s.\n", remark.n, remark.text)
		}
	}
	if r.GetTruncated() {
		fmt.Fprintln(w, "There are more requests: raise --max to take them in.")
	}
	fmt.Fprintln(w, "\nMODEL\tREQUESTS\tCOST\tREPLAY\tREPLAY COST")
	for _, m := range r.GetModels() {
		name := m.GetModel()
		if !m.GetPriced() {
			name += " (no price)"
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%d\t%s\n", name, m.GetRequests(), money(m.GetCost()), m.GetReplayRequests(), money(m.GetReplayCost()))
	}
	printShifts(w, r.GetShifts())
}

func printShifts(w io.Writer, shifts []*requestv1.ModelShift) {
	if len(shifts) == 0 {
		return
	}
	fmt.Fprintln(w, "\nFROM\tTO\tREQUESTS\tCOST\tOTHER COST")
	for _, s := range shifts {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", s.GetFrom(), s.GetTo(), s.GetRequests(), money(s.GetCost()), money(s.GetOtherCost()))
	}
}

// change is a difference in percent, in brackets.
func change(from, to float64) string {
	if from == 0 {
		return ""
	}
	return fmt.Sprintf(" (%+.1f %%)", 100*(to-from)/from)
}
