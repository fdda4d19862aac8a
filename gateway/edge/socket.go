package edge

import (
	"bufio"
	"net"
	"net/http"

	"github.com/coder/websocket"
)

// Upgrade changes to a websocket, on a route that is for them. A message that
// is longer than a body may be ends it. After an error the client is answered.
func (x *Exchange) Upgrade() (*websocket.Conn, error) {
	// Origins are the guard's business, and were looked at.
	c, err := websocket.Accept(hijacking{x}, x.r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return nil, err
	}
	c.SetReadLimit(x.edge.config.BodyLimit)
	return c, nil
}

// Draining is closed when the edge admits nothing any more: what waits for its
// client to say more should end now.
func (x *Exchange) Draining() <-chan struct{} { return x.edge.drain }

// Serve answers a further request of the same client as if it had come by
// itself: admitted, counted, limited and logged as others are.
func (x *Exchange) Serve(w http.ResponseWriter, r *http.Request) {
	// The connection is not that request's to write to.
	x.edge.ServeHTTP(w, r.WithContext(withConn(r.Context(), nil)))
}

// hijacking is an Exchange whose connection can be had.
type hijacking struct{ *Exchange }

// Hijack implements http.Hijacker.
func (h hijacking) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(h.w).Hijack()
}
