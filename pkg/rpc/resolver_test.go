package rpc

import "testing"

func TestAddresses(t *testing.T) {
	t.Parallel()
	for address, right := range map[string]bool{
		"127.0.0.1:4711": true, "localhost:4711": true, "[::1]:4711": true, ":4711": true, "a:1, b:2": true,
		"dns:///name:4711": true, "unix:///run/mesh.sock": true, "passthrough:///local": true,
		"": false, "localhost": false, "4711": false, "::1": false, "a:1,": false, "a:1,b": false, "dns:///a:1,dns:///b:2": false,
		"host:0": false, "host:65536": false, "host:http": false,
		"http://127.0.0.1:4711": false, "https://mesh:4711": false, "grpc://mesh:4711": false,
	} {
		if err := CheckAddress(address); (err == nil) != right {
			t.Errorf("%q: %v", address, err)
		}
		if conn, err := Dial(ClientConfig{Address: address}); err == nil {
			conn.Close()
			if !right {
				t.Errorf("%q is dialled", address)
			}
		}
	}
}
