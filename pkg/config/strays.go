package config

import (
	"regexp"
	"slices"
	"strings"
)

// Stray is a variable of the environment that has the program's prefix and sets
// nothing.
type Stray struct {
	Name string
	// Near is the variable that may have been meant; empty where none is alike.
	Near string
}

// Kubernetes gives each container the addresses of the services beside it, under
// names that begin with the service's own, as GPTMESH_SERVICE_HOST and
// GPTMESH_PORT_4700_TCP_ADDR: nobody mistyped those.
var ofServices = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)?)$`)

// Strays are the variables of environ, a list of NAME=value as that of
// os.Environ, that begin with prefix, set no field of target and are not among
// others; by name.
func Strays(target any, prefix string, environ []string, others ...string) []Stray {
	known := slices.Clone(others)
	for _, f := range collect(target, prefix) {
		known = append(known, f.Variables...)
	}
	slices.Sort(known)
	var out []Stray
	for _, variable := range environ {
		name, _, _ := strings.Cut(variable, "=")
		_, found := slices.BinarySearch(known, name)
		if found || !strings.HasPrefix(name, prefix+"_") || ofServices.MatchString(name) {
			continue
		}
		out = append(out, Stray{Name: name, Near: near(name, prefix, known)})
	}
	slices.SortFunc(out, func(a, b Stray) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// near is the name that differs least, or else the longest that the other goes
// on from, as GPTMESH_DATA for GPTMESH_DATA_DIR.
func near(name, prefix string, known []string) string {
	best, distance, begins := "", 3, ""
	for _, candidate := range known {
		if d := editDistance(name, candidate); d < distance {
			best, distance = candidate, d
		}
		if strings.HasPrefix(name, candidate+"_") && len(candidate) > max(len(prefix)+1, len(begins)) {
			begins = candidate
		}
	}
	if best != "" {
		return best
	}
	return begins
}
