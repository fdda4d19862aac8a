package rpc

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/grpc/resolver"
)

// listScheme is the target scheme of a list of addresses.
const listScheme = "gptmeshlist"

// CheckAddress says what is wrong with an address of [ClientConfig], or nil. It does
// not say whether anybody is there.
func CheckAddress(address string) error {
	if !strings.Contains(address, ",") {
		scheme, _, given := strings.Cut(address, "://")
		switch {
		case given && slices.Contains([]string{"http", "https", "grpc", "grpcs"}, scheme):
			return fmt.Errorf("%q: want host:port, without %s://", address, scheme)
		case given || strings.HasPrefix(address, "unix:"):
			return nil
		}
	}
	for one := range strings.SplitSeq(address, ",") {
		one = strings.TrimSpace(one)
		_, port, err := net.SplitHostPort(one)
		if number, wrong := strconv.ParseUint(port, 10, 16); err != nil || wrong != nil || number == 0 {
			return fmt.Errorf("%q: want host:port", one)
		}
	}
	return nil
}

// target makes a gRPC target of an address.
func target(address string) (string, []resolver.Builder) {
	if strings.Contains(address, ",") {
		return listScheme + ":///rooms", []resolver.Builder{listBuilder{addresses: strings.Split(address, ",")}}
	}
	if strings.Contains(address, "://") || strings.HasPrefix(address, "unix:") {
		return address, nil
	}
	return "dns:///" + address, nil
}

// listBuilder resolves to a fixed list.
type listBuilder struct{ addresses []string }

func (b listBuilder) Scheme() string { return listScheme }

func (b listBuilder) Build(_ resolver.Target, conn resolver.ClientConn, _ resolver.BuildOptions) (resolver.Resolver, error) {
	var state resolver.State
	for _, address := range b.addresses {
		address = strings.TrimSpace(address)
		state.Endpoints = append(state.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: address, ServerName: host(address)}}})
	}
	return fixed{}, conn.UpdateState(state)
}

func host(address string) string {
	if i := strings.LastIndexByte(address, ':'); i > 0 {
		return address[:i]
	}
	return address
}

type fixed struct{}

func (fixed) ResolveNow(resolver.ResolveNowOptions) {}
func (fixed) Close()                                {}
