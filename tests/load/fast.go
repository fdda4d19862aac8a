package main

import (
	"fmt"
	"net"
	"strings"

	"github.com/valyala/fasthttp"
)

// serveFast is a reverse proxy made with fasthttp: the lowest price of a hop that
// understands nothing of what it passes on. Streams are passed on as they come.
func serveFast(address, upstream string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	host := strings.TrimPrefix(upstream, "http://")
	whole := &fasthttp.HostClient{Addr: host, MaxConns: 4096}
	streams := &fasthttp.HostClient{Addr: host, MaxConns: 4096, StreamResponseBody: true}
	server := &fasthttp.Server{
		MaxRequestBodySize: 16 << 20,
		Handler: func(ctx *fasthttp.RequestCtx) {
			client := whole
			if strings.Contains(string(ctx.Request.Body()[:min(len(ctx.Request.Body()), 200)]), `"stream":true`) {
				client = streams
				ctx.Response.ImmediateHeaderFlush = true
			}
			ctx.Request.SetHost(host)
			if err := client.Do(&ctx.Request, &ctx.Response); err != nil {
				ctx.Error("bad gateway", fasthttp.StatusBadGateway)
			}
		},
	}
	return server.Serve(listener)
}
