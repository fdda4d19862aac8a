package registry

import (
	"cmp"
	"slices"
	"strings"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/codes"
)

// notFound names the nearest models there are.
func (r *Registry) notFound(name string) error {
	message := "there is no model " + short(name)
	if names := r.near(name); len(names) > 0 {
		message += "; near names: " + strings.Join(names, ", ")
	} else if len(r.index.Load().models) == 0 {
		message += ": no provider is configured"
	}
	return fault.New(codes.NotFound, meshv1.ErrorReason_ERROR_REASON_MODEL_NOT_FOUND, message, "model", short(name))
}

// maxNamed bounds the providers that an error names.
const maxNamed = 8

// unheard says that the model may be at providers that could not be asked: a
// client may try again.
func unheard(name string, away []string) error {
	names := strings.Join(away[:min(maxNamed, len(away))], ", ")
	return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_UNREACHABLE,
		"no known list has the model "+short(name)+", and these providers could not be reached for theirs: "+names,
		"model", short(name), "provider", away[0])
}

// short bounds what a client wrote before it is repeated.
func short(name string) string {
	if len(name) > 128 {
		return strings.ToValidUTF8(name[:128], "") + "…"
	}
	return name
}

// near are up to three names that are like the one asked for.
func (r *Registry) near(name string) (names []string) {
	type scored struct {
		id    string
		score int
	}
	var all []scored
	wanted := strings.ToLower(short(name))
	for _, m := range r.index.Load().models {
		id := strings.ToLower(m.GetId())
		score := distance(wanted, id)
		if strings.Contains(id, wanted) || strings.Contains(wanted, strings.ToLower(m.GetProviderModel())) {
			score = min(score, 1)
		}
		if score <= max(2, len(wanted)/3) {
			all = append(all, scored{m.GetId(), score})
		}
	}
	slices.SortStableFunc(all, func(a, b scored) int { return cmp.Compare(a.score, b.score) })
	for _, s := range all[:min(3, len(all))] {
		names = append(names, s.id)
	}
	return names
}

// distance is how many bytes must be added, removed or changed.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			changed := diagonal
			if a[i] != b[j] {
				changed++
			}
			diagonal = row[j+1]
			row[j+1] = min(changed, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
