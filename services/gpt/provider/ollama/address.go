package ollama

import (
	"net"
	"strconv"
	"strings"
)

// Address makes a base address of the forms that OLLAMA_HOST takes: a host, a
// host and port, a port alone, or an address with http or https. Without a
// scheme the port is 11434 by default; with one it is the scheme's. Addresses
// that only a server can listen on (0.0.0.0, ::, none) mean this machine.
// Source: https://docs.ollama.com/faq, and the behaviour of its client.
func Address(host string) string {
	host = strings.TrimSpace(host)
	scheme, rest, ok := strings.Cut(host, "://")
	port := "11434"
	switch {
	case !ok:
		scheme, rest = "http", host
		if rest == "ollama.com" {
			scheme, port = "https", "443"
		}
	case scheme == "http":
		port = "80"
	case scheme == "https":
		port = "443"
	}
	rest, path, _ := strings.Cut(rest, "/")
	name, given, err := net.SplitHostPort(rest)
	if err != nil {
		name, given = strings.Trim(rest, "[]"), port
	}
	if n, err := strconv.ParseUint(given, 10, 16); err != nil || n == 0 {
		given = port
	}
	if ip := net.ParseIP(name); name == "" || ip != nil && ip.IsUnspecified() {
		name = "127.0.0.1"
	}
	address := scheme + "://" + net.JoinHostPort(name, given)
	if path = strings.TrimRight(path, "/"); path != "" {
		address += "/" + path
	}
	return address
}
