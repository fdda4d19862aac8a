package edge

import (
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/codes"
)

// guard knows which Host names and origins are this machine's own.
type guard struct {
	keyless  bool
	hosts    []string // lower case
	anyHost  bool
	origins  []string
	anyOrig  bool
	hostname string
}

func newGuard(config Config, keyless bool) *guard {
	g := &guard{keyless: keyless, anyHost: slices.Contains(config.AllowedHosts, "*"), anyOrig: slices.Contains(config.AllowedOrigins, "*")}
	for _, host := range config.AllowedHosts {
		g.hosts = append(g.hosts, strings.ToLower(host))
	}
	for _, origin := range config.AllowedOrigins {
		g.origins = append(g.origins, strings.ToLower(strings.TrimSuffix(origin, "/")))
	}
	if name, err := os.Hostname(); err == nil {
		g.hostname = strings.ToLower(name)
	}
	return g
}

// check refuses what only a browser led astray would send to a mesh without
// keys. A page that rebinds its own name to this machine shows that name as
// Host; any other page shows its origin.
func (g *guard) check(r *http.Request, origin string, originAllowed bool) error {
	if !g.keyless {
		return nil
	}
	if !g.anyHost && !g.hostAllowed(r.Host) {
		return forbidden("this mesh has no keys and is not served under this Host; configure keys (GPTMESH_API_KEYS) or gateway.edge.allowed_hosts")
	}
	if origin != "" && !originAllowed {
		return forbidden("this mesh has no keys and takes no calls from this origin; configure keys (GPTMESH_API_KEYS) or gateway.edge.allowed_origins")
	}
	return nil
}

func forbidden(text string) error {
	return WithStatus(http.StatusForbidden, fault.New(codes.PermissionDenied, meshv1.ErrorReason_ERROR_REASON_PERMISSION_DENIED, text))
}

// hostAllowed says whether host, with or without port, can only mean a machine
// that its user chose: an address of this machine or its private networks,
// names that no public name server gives out, or a configured one.
func (g *guard) hostAllowed(host string) bool {
	if host == "" {
		return true
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if host == "localhost" || host == "127.0.0.1" {
		return true
	}
	if addr, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		addr = addr.Unmap()
		return addr.IsLoopback() || addr.IsPrivate() || addr.IsUnspecified() || addr.IsLinkLocalUnicast() || slices.Contains(g.hosts, host)
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if host == "localhost" || (g.hostname != "" && host == g.hostname) || slices.Contains(g.hosts, host) {
		return true
	}
	return strings.HasSuffix(host, ".localhost") || strings.HasSuffix(host, ".local") || strings.HasSuffix(host, ".internal")
}

// originSchemes are those of desktop programs and local files.
var originSchemes = []string{"app://", "file://", "tauri://", "vscode-webview://", "vscode-file://"}

// originAllowed says whether pages of origin may call. A page that the same
// host served may.
func (g *guard) originAllowed(origin, host string) bool {
	if g.anyOrig {
		return true
	}
	origin = strings.ToLower(origin)
	for _, scheme := range originSchemes {
		if strings.HasPrefix(origin, scheme) {
			return true
		}
	}
	if slices.Contains(g.origins, origin) {
		return true
	}
	rest, ok := strings.CutPrefix(origin, "http://")
	if !ok {
		if rest, ok = strings.CutPrefix(origin, "https://"); !ok {
			return false
		}
	}
	if rest == strings.ToLower(host) {
		return true
	}
	name := rest
	if n, port, err := net.SplitHostPort(rest); err == nil {
		if !digits(port) {
			return false
		}
		name = n
	}
	switch strings.Trim(name, "[]") {
	case "localhost", "127.0.0.1", "0.0.0.0", "::1":
		return true
	}
	return false
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
