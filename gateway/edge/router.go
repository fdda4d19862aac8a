package edge

import (
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
)

// route is a Route with what the edge knows about it.
type route struct {
	Route
	face    *Face
	metrics *routeMetrics
}

// methods are the routes of one pattern.
type methods []*route

// find finds the route for a request. HEAD is served by GET's where it has none.
func (m methods) find(method string, h http.Header) *route {
	found := m.of(method, h)
	if found == nil && method == http.MethodHead {
		return m.of(http.MethodGet, h)
	}
	return found
}

// of finds a method's route: that of the face whose header the request bears
// before those of others, and one of a face without a header before the rest.
func (m methods) of(method string, h http.Header) (found *route) {
	for _, r := range m {
		switch {
		case r.Method != method && r.Method != "", r.Socket && !webSocket(h):
		case r.face.bears(h):
			return r
		case found == nil, found.face.Header != "" && r.face.Header == "":
			found = r
		}
	}
	return found
}

// has says that a request could not be told from those for a route that is
// there.
func (m methods) has(added *route) bool {
	return slices.ContainsFunc(m, func(r *route) bool {
		return (r.Method == added.Method || r.Method == "") && r.face.Header == added.face.Header
	})
}

// allow is the value of the Allow header.
func (m methods) allow() string {
	names := []string{http.MethodOptions}
	for _, r := range m {
		if r.Socket {
			continue
		}
		names = append(names, r.Method)
		if r.Method == http.MethodGet {
			names = append(names, http.MethodHead)
		}
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}

// wildcard is a pattern with one part in braces.
type wildcard struct {
	prefix, suffix string
	methods        methods
}

func (w *wildcard) match(path string) (param string, ok bool) {
	if len(path) <= len(w.prefix)+len(w.suffix) || !strings.HasPrefix(path, w.prefix) || !strings.HasSuffix(path, w.suffix) {
		return "", false
	}
	return path[len(w.prefix) : len(path)-len(w.suffix)], true
}

// router finds routes. It is immutable once built.
type router struct {
	exact     map[string]methods
	wildcards []*wildcard
	faces     []faceOf // longest prefix first
}

type faceOf struct {
	prefix string
	face   *Face
}

func newRouter(faces []Face) (*router, error) {
	r := &router{exact: make(map[string]methods)}
	for i := range faces {
		face := &faces[i]
		if face.Error == nil {
			return nil, fmt.Errorf("face %q: it has no Error", face.Name)
		}
		for _, prefix := range face.Prefixes {
			r.faces = append(r.faces, faceOf{prefix, face})
		}
		for _, route := range face.Routes {
			if err := r.add(face, route); err != nil {
				return nil, fmt.Errorf("face %q: %w", face.Name, err)
			}
		}
	}
	slices.SortStableFunc(r.faces, func(a, b faceOf) int { return len(b.prefix) - len(a.prefix) })
	// The most particular pattern is asked first.
	slices.SortStableFunc(r.wildcards, func(a, b *wildcard) int {
		return len(b.prefix) + len(b.suffix) - len(a.prefix) - len(a.suffix)
	})
	if len(r.faces) == 0 || r.faces[len(r.faces)-1].prefix != "/" {
		return nil, fmt.Errorf("no face has the prefix \"/\"")
	}
	return r, nil
}

func (r *router) add(face *Face, given Route) error {
	if given.Handle == nil || !strings.HasPrefix(given.Pattern, "/") {
		return fmt.Errorf("route %q: it needs a handler and a path", given.Pattern)
	}
	added := &route{Route: given, face: face}
	prefix, rest, found := strings.Cut(given.Pattern, "{")
	if !found {
		if r.exact[given.Pattern].has(added) {
			return fmt.Errorf("route %s %s: it is there already", given.Method, given.Pattern)
		}
		r.exact[given.Pattern] = append(r.exact[given.Pattern], added)
		return nil
	}
	_, suffix, closed := strings.Cut(rest, "}")
	if !closed || strings.Contains(suffix, "{") {
		return fmt.Errorf("route %q: one part in braces is allowed", given.Pattern)
	}
	for _, w := range r.wildcards {
		if w.prefix == prefix && w.suffix == suffix {
			w.methods = append(w.methods, added)
			return nil
		}
	}
	r.wildcards = append(r.wildcards, &wildcard{prefix: prefix, suffix: suffix, methods: methods{added}})
	return nil
}

// lookup finds the routes of a path.
func (r *router) lookup(p string) (methods, string) {
	if found, ok := r.exact[p]; ok {
		return found, ""
	}
	for _, w := range r.wildcards {
		if param, ok := w.match(p); ok {
			return w.methods, param
		}
	}
	return nil, ""
}

// find finds the routes of a path. Where there are none it allows for what
// clients make of their base address: slashes doubled or behind the path, and a
// "/v1" or "/api" too many in front, as in /v1/v1/messages and /v1/api/chat.
func (r *router) find(p string) (methods, string) {
	found, param := r.lookup(p)
	if found != nil || !strings.HasPrefix(p, "/") {
		return found, param
	}
	if clean := path.Clean(p); clean != p {
		if found, param = r.lookup(clean); found != nil {
			return found, param
		}
		p = clean
	}
	for _, base := range bases {
		if rest, cut := strings.CutPrefix(p, base); cut && slices.ContainsFunc(bases, func(b string) bool { return strings.HasPrefix(rest, b+"/") }) {
			return r.lookup(rest)
		}
	}
	return nil, ""
}

// bases are what the paths of clients begin with.
var bases = []string{"/v1", "/api"}

// face is who words errors of a path.
func (r *router) face(p string, h http.Header) *Face {
	for _, f := range r.faces {
		if f.face.bears(h) {
			return f.face
		}
	}
	for _, f := range r.faces {
		if strings.HasPrefix(p, f.prefix) {
			return f.face
		}
	}
	return r.faces[len(r.faces)-1].face
}

// each calls fn with every route.
func (r *router) each(fn func(*route)) {
	for _, ms := range r.exact {
		for _, m := range ms {
			fn(m)
		}
	}
	for _, w := range r.wildcards {
		for _, m := range w.methods {
			fn(m)
		}
	}
}
