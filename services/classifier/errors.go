package classifier

import (
	"errors"
	"fmt"
	"strconv"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/services/classifier/internal/store"
	"google.golang.org/grpc/codes"
)

func tooFew(head string, have, required int) error {
	missing := required - have
	return fault.New(codes.FailedPrecondition, meshv1.ErrorReason_ERROR_REASON_TOO_FEW_SAMPLES,
		fmt.Sprintf("the head %s has %d training samples, %d are required: %d are lacking", head, have, required, missing),
		"head", head, "samples", strconv.Itoa(have), "required", strconv.Itoa(required), "missing", strconv.Itoa(missing))
}

func trainingRuns(id string) error {
	return fault.New(codes.FailedPrecondition, meshv1.ErrorReason_ERROR_REASON_TRAINING_RUNNING,
		"the training "+id+" runs; there is one at a time", "training_id", id)
}

func noTraining(id string) error {
	return fault.New(codes.NotFound, meshv1.ErrorReason_ERROR_REASON_TRAINING_NOT_FOUND, "there is no training "+id, "training_id", id)
}

func noVersion(id string) error {
	return fault.New(codes.NotFound, meshv1.ErrorReason_ERROR_REASON_MODEL_VERSION_NOT_FOUND, "there is no model version "+id, "version_id", id)
}

func noPrevious(head string) error {
	return fault.New(codes.FailedPrecondition, meshv1.ErrorReason_ERROR_REASON_NO_PREVIOUS_VERSION,
		"no version of the head "+head+" was active before the present one", "head", head)
}

func shuttingDown() error {
	return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_SHUTTING_DOWN, "the classifier room is shutting down", "room", "classifier")
}

// storeFault is what a client sees of an error of the store. found is the error
// for a row that is not there; nil where that cannot be.
func storeFault(err, found error) error {
	switch {
	case err == nil:
		return nil
	case (errors.Is(err, store.ErrNotFound) || postgres.IsUnfitText(err)) && found != nil:
		return found
	case errors.Is(err, store.ErrUnavailable):
		return fault.StoreUnavailable("classifier", err)
	}
	return fault.From(err)
}
