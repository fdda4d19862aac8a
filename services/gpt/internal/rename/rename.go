// Package rename gives the model in a client's body the name that its provider
// has for it, and leaves every other byte of meaning alone.
package rename

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"strings"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"google.golang.org/grpc/codes"
)

// Bounds of a form.
const (
	maxParts = 256
	maxName  = 256 // of a model, in bytes
)

// IsForm says that a content type is that of a form with parts.
func IsForm(contentType string) bool {
	media, _, _ := mime.ParseMediaType(contentType)
	return media == "multipart/form-data"
}

// JSON returns body with the first of members that names something naming model
// instead; where none does, the first one is added. The result is body itself
// where nothing has to change, and always where model is empty. The error is a
// fault: MALFORMED_BODY or DUPLICATE_FIELD.
func JSON(body []byte, model string, members ...string) ([]byte, error) {
	found, err := jsonscan.Scan(body, jsonscan.NewKeys(members...), nil)
	if err != nil {
		return nil, badJSON(err)
	}
	if model == "" {
		return body, nil
	}
	edit := jsonscan.Edit{At: found[0], Key: members[0], Value: jsonscan.AppendString(nil, model)}
	for i, m := range found {
		if m.Kind == jsonscan.Absent || m.Kind == jsonscan.Null {
			continue
		}
		name, err := m.Text(body)
		if err != nil {
			return nil, malformed(members[i], "want a string")
		}
		if name == model {
			return body, nil
		}
		if name != "" {
			edit.At = m
			break
		}
	}
	out, err := jsonscan.Splice(nil, body, edit)
	if err != nil {
		return nil, fault.Internal(err)
	}
	return out, nil
}

// Form returns a form whose part "model" names model; where there is none, one
// is added. The result is body itself where nothing has to change. Otherwise
// parts keep their headers and bytes, and contentType may name another boundary.
// The error is a fault: MALFORMED_BODY or TOO_LARGE.
func Form(contentType string, body []byte, model string) (newType string, out []byte, err error) {
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil || params["boundary"] == "" {
		return "", nil, malformed("Content-Type", "a form needs its boundary")
	}
	name, found, err := formModel(params["boundary"], body)
	if err != nil || model == "" || found && name == model {
		return contentType, body, err
	}
	var buffer bytes.Buffer
	buffer.Grow(len(body) + 512)
	w := multipart.NewWriter(&buffer)
	if w.SetBoundary(params["boundary"]) == nil {
		newType = contentType
	} else {
		newType = w.FormDataContentType()
	}
	err = eachPart(params["boundary"], body, func(part *multipart.Part) error {
		to, err := w.CreatePart(part.Header)
		if err != nil {
			return err
		}
		if part.FormName() == "model" {
			_, err = io.WriteString(to, model)
			return err
		}
		_, err = io.Copy(to, part)
		return err
	})
	if err == nil && !found {
		err = w.WriteField("model", model)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return "", nil, badForm(err)
	}
	return newType, buffer.Bytes(), nil
}

// formModel reads the part "model", which may stand once.
func formModel(boundary string, body []byte) (name string, found bool, err error) {
	err = eachPart(boundary, body, func(part *multipart.Part) error {
		if part.FormName() != "model" {
			return nil
		}
		if found {
			return duplicate("model")
		}
		text, err := io.ReadAll(io.LimitReader(part, maxName+1))
		if err == nil && len(text) > maxName {
			return malformed("model", "the name is too long")
		}
		name, found = strings.TrimSpace(string(text)), true
		return err
	})
	if err != nil {
		return "", false, badForm(err)
	}
	return name, found, nil
}

func eachPart(boundary string, body []byte, fn func(*multipart.Part) error) error {
	reader := multipart.NewReader(bytes.NewReader(body), boundary)
	for range maxParts {
		part, err := reader.NextRawPart()
		if err == io.EOF { // the form's own end; what breaks off wraps it
			return nil
		}
		if err != nil {
			return err
		}
		if err := fn(part); err != nil {
			return err
		}
	}
	return fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_TOO_LARGE, "the form has too many parts")
}

func badForm(err error) error {
	if f := (*fault.Fault)(nil); errors.As(err, &f) {
		return f
	}
	return malformed("", "the body is not the form that its content type says").WithCause(err)
}

func badJSON(err error) error {
	bad := (*jsonscan.Error)(nil)
	if !errors.As(err, &bad) {
		return fault.Internal(err)
	}
	if errors.Is(err, jsonscan.ErrDuplicate) {
		return duplicate(bad.Key)
	}
	return malformed(bad.Key, "the body is not a JSON object: "+bad.Error())
}

func duplicate(field string) *fault.Fault {
	return fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_DUPLICATE_FIELD, field+": stands more than once", "field", field)
}

func malformed(field, description string) *fault.Fault {
	message := description
	if field != "" {
		message = field + ": " + description
	}
	return fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_MALFORMED_BODY, message, "field", field)
}
