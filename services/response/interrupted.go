package response

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/services/response/internal/answerlog"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/protobuf/proto"
)

// endInterrupted ends an answer whose process died: of what was journaled it
// makes the choices, of its attempts in the ledger the usage, and it adds the terminal
// chunk to the log.
func (s *Service) endInterrupted(r *responsev1.Response, frames []byte, attempts []*gptv1.Attempt) []byte {
	entries, err := answerlog.Split(frames)
	if err != nil {
		s.deps.Logger.Error("the journal of an answer is broken", "response_id", r.GetId(), "error", err)
		entries, frames = nil, nil
	}
	if kept := once(entries); len(kept) < len(entries) {
		entries, frames = kept, answerlog.Frames(nil, kept...)
	}
	assembler := wire.Assembler{MaxBytes: s.cfg.MaxAnswerBytes}
	var answered []string
	t := &typer{codec: s.deps.Codec}
	defer t.release()
	for _, entry := range entries {
		chunk := new(conversationv1.Chunk)
		if broken := proto.Unmarshal(entry, chunk); broken != nil {
			err = broken
			continue
		}
		// What cannot be decoded is left out, as of an answer that came to its end.
		events, broken := t.events(chunk)
		if broken != nil {
			err = broken
		}
		answered = attemptsOf(answered, events)
		for _, event := range events {
			if started := event.GetStarted(); started != nil {
				r.Model, r.Provider, r.Cached, r.DroppedFields = started.GetModel(), started.GetProvider(), started.GetCached(), started.GetDroppedFields()
			}
			if event.GetUsage() != nil {
				r.Usage = event.GetUsage()
			}
		}
		if broken := assembler.Add(events...); broken != nil {
			err = broken
			break
		}
	}
	if err != nil {
		// A watcher still gets what is there, in its own wire.
		s.deps.Logger.Warn("a journaled answer cannot be decoded", "response_id", r.GetId(), "error", err)
	}
	for _, choice := range assembler.AppendChoices(nil) {
		out := &responsev1.Choice{Index: choice.Index, Message: choice.Message, FinishReason: choice.FinishReason, StopSequence: choice.StopSequence}
		if choice.Index == 0 {
			out.Message.Id = r.GetId()
		}
		r.Choices = append(r.Choices, out)
	}
	if usage, _ := spent(attempts, r.GetId(), answered); usage != nil {
		r.Usage = usage
	}
	last := int64(len(entries))
	r.LastSequence, r.Failure = last+1, wire.Failure(interrupted(r.GetId(), last))
	terminal, err := proto.Marshal(lostEnd(r, last))
	if err != nil {
		return frames // cannot be: the chunk is made here
	}
	return answerlog.Frames(frames, terminal)
}

// once leaves out chunks that came again: where a write of the journal was not
// acknowledged, the next one repeats it.
func once(entries [][]byte) [][]byte {
	kept, last := entries[:0:0], int64(0)
	for _, entry := range entries {
		var chunk conversationv1.Chunk
		if err := proto.Unmarshal(entry, &chunk); err == nil {
			if chunk.GetSequence() <= last {
				continue
			}
			last = chunk.GetSequence()
		}
		kept = append(kept, entry)
	}
	return kept
}

// lostEnd is the terminal chunk of an answer that failed, for one who has seen
// its log up to a sequence number.
func lostEnd(r *responsev1.Response, seen int64) *conversationv1.Chunk {
	chunk := &conversationv1.Chunk{Sequence: seen + 1}
	if seen == 0 {
		chunk.Events = append(chunk.Events, &conversationv1.Event{Kind: &conversationv1.Event_Started{Started: &conversationv1.Started{
			ResponseId: r.GetId(), SessionId: r.GetSessionId(), CreateTime: r.GetCreateTime(),
		}}})
	}
	chunk.Events = append(withUsage(chunk.Events, r.GetUsage()), &conversationv1.Event{Kind: &conversationv1.Event_Failed{Failed: r.GetFailure()}})
	return chunk
}
