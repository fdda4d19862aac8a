package responses

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gptmesh/gptmesh/gateway/answer"
	"github.com/gptmesh/gptmesh/gateway/edge"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	wireresponses "github.com/gptmesh/gptmesh/wire/responses"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

var conversationKeys = jsonscan.NewKeys("items", "metadata")

// maxItems is how many items one call may add; the contract's bound.
const maxItems = 1000

// conversationBody is what clients say of a conversation.
type conversationBody struct {
	messages []*conversationv1.Message
	metadata map[string]string
	labelled bool // metadata was given
}

// readConversation reads a body, which may be empty.
func readConversation(x *edge.Exchange) (*conversationBody, error) {
	raw, err := x.Body()
	if err != nil {
		return nil, err
	}
	if len(strings.TrimSpace(string(raw))) == 0 {
		raw = []byte("{}")
	}
	found, err := jsonscan.Scan(raw, conversationKeys, nil)
	if err != nil {
		return nil, fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_MALFORMED_BODY,
			"the body is not a valid JSON object: "+err.Error(), "field", "")
	}
	out := &conversationBody{}
	if at := found[1]; at.Kind != jsonscan.Absent && at.Kind != jsonscan.Null {
		out.labelled = true
		if out.metadata, err = readMetadata(raw, at); err != nil {
			return nil, err
		}
	}
	if at := found[0]; at.Kind != jsonscan.Absent && at.Kind != jsonscan.Null {
		if out.messages, err = wireresponses.DecodeItems("items", at.Raw(raw)); err != nil {
			return nil, err
		}
		if len(out.messages) > maxItems {
			return nil, fault.InvalidField("items", "at most "+strconv.Itoa(maxItems)+" items are taken at once")
		}
		for _, m := range out.messages {
			m.Id = ids.At("msg", x.Now())
		}
	}
	return out, nil
}

// createConversation makes a conversation.
func (f *face) createConversation(x *edge.Exchange) {
	body, err := readConversation(x)
	if err != nil {
		x.Fail(err)
		return
	}
	got, err := f.rooms.Session.CreateSession(x.Context(), &sessionv1.CreateSessionRequest{
		SessionId: ids.At("conv", x.Now()), Session: &sessionv1.Session{Metadata: body.metadata}, Messages: body.messages,
	})
	if err != nil {
		x.Fail(err)
		return
	}
	writeConversation(x, got.GetSession())
}

func writeConversation(x *edge.Exchange, s *sessionv1.Session) {
	out := append(idObject(s.GetId(), "conversation"), `,"created_at":`...)
	out = strconv.AppendInt(out, s.GetCreateTime().GetSeconds(), 10)
	out = append(out, `,"metadata":{`...)
	for i, key := range slices.Sorted(maps.Keys(s.GetMetadata())) {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(jsonscan.AppendString(out, key), ':')
		out = jsonscan.AppendString(out, s.GetMetadata()[key])
	}
	_ = x.JSON(http.StatusOK, append(out, `}}`...))
}

// getConversation tells of a conversation, or of one of its items.
func (f *face) getConversation(x *edge.Exchange) {
	id, item, err := target(x)
	if err != nil {
		x.Fail(err)
		return
	}
	if item != "" {
		f.getItem(x, id, item)
		return
	}
	got, err := f.rooms.Session.GetSession(x.Context(), &sessionv1.GetSessionRequest{SessionId: id})
	if err != nil {
		x.Fail(conversationFault(err, id))
		return
	}
	writeConversation(x, got.GetSession())
}

// target is the conversation that a path names, and the item.
func target(x *edge.Exchange) (conversation, item string, err error) {
	conversation, item, found := strings.Cut(x.Param(), "/items/")
	if strings.Contains(conversation, "/") || found && (item == "" || strings.Contains(item, "/")) {
		return "", "", edge.WithStatus(http.StatusNotFound, fault.New(codes.NotFound, meshv1.ErrorReason_ERROR_REASON_UNSUPPORTED,
			missing(x.Request().Method, quote(x.Path()))))
	}
	if !answer.ValidSession(conversation) {
		return "", "", noConversation(conversation)
	}
	return conversation, item, nil
}

// updateConversation changes the labels.
func (f *face) updateConversation(x *edge.Exchange) {
	id, item, err := target(x)
	if err == nil && item != "" {
		err = unsupportedItem("changed")
	}
	var body *conversationBody
	if err == nil {
		body, err = readConversation(x)
	}
	if err == nil && !body.labelled {
		err = fault.InvalidField("metadata", "is required")
	}
	if err != nil {
		x.Fail(err)
		return
	}
	got, err := f.rooms.Session.UpdateSession(x.Context(), &sessionv1.UpdateSessionRequest{
		Session:    &sessionv1.Session{Id: id, Metadata: body.metadata},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"metadata"}},
	})
	if err != nil {
		x.Fail(conversationFault(err, id))
		return
	}
	writeConversation(x, got.GetSession())
}

// deleteConversation deletes a conversation with its items.
func (f *face) deleteConversation(x *edge.Exchange) {
	id, item, err := target(x)
	if err == nil && item != "" {
		err = unsupportedItem("deleted")
	}
	if err == nil {
		_, err = f.rooms.Session.DeleteSession(x.Context(), &sessionv1.DeleteSessionRequest{SessionId: id})
		err = conversationFault(err, id)
	}
	if err != nil {
		x.Fail(err)
		return
	}
	_ = x.JSON(http.StatusOK, append(idObject(id, "conversation.deleted"), `,"deleted":true}`...))
}

func unsupportedItem(done string) error {
	return fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_UNSUPPORTED,
		"an item of a conversation cannot be "+done+" by itself: conversations are only added to; delete the conversation, or make another one", "field", "item_id")
}

// getItem tells of one item.
func (f *face) getItem(x *edge.Exchange, conversation, id string) {
	h, err := f.readSession(x.Context(), conversation)
	if err != nil {
		x.Fail(conversationFault(err, conversation))
		return
	}
	list, err := items(h.messages)
	if err != nil {
		x.Fail(err)
		return
	}
	for _, item := range list {
		if item.ID == id {
			_ = x.JSON(http.StatusOK, item.JSON)
			return
		}
	}
	x.Fail(noItem(id, ""))
}

// listItems lists what a conversation holds.
func (f *face) listItems(x *edge.Exchange) {
	id := x.Param()
	if !answer.ValidSession(id) {
		x.Fail(noConversation(id))
		return
	}
	h, err := f.readSession(x.Context(), id)
	if err != nil {
		x.Fail(conversationFault(err, id))
		return
	}
	f.writeItems(x, h.messages)
}

// createItems adds items.
func (f *face) createItems(x *edge.Exchange) {
	id := x.Param()
	if !answer.ValidSession(id) {
		x.Fail(noConversation(id))
		return
	}
	body, err := readConversation(x)
	if err == nil && len(body.messages) == 0 {
		err = fault.InvalidField("items", "needs at least one item")
	}
	if err != nil {
		x.Fail(err)
		return
	}
	got, err := f.rooms.Session.AppendMessages(x.Context(), &sessionv1.AppendMessagesRequest{SessionId: id, Messages: body.messages})
	if err != nil {
		x.Fail(conversationFault(err, id))
		return
	}
	list, err := items(got.GetMessages())
	if err != nil {
		x.Fail(err)
		return
	}
	writeList(x, list, false)
}
