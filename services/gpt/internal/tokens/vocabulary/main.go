// Command vocabulary writes OpenAI's vocabularies as this package embeds them:
// the tokens in the order of their ranks, each behind its length, compressed.
package main

import (
	"encoding/binary"
	"log"
	"os"

	"github.com/klauspost/compress/zstd"
	"github.com/tiktoken-go/tokenizer"
)

func main() {
	log.SetFlags(0)
	// How many ranks there are, without the special tokens.
	for encoding, ranks := range map[tokenizer.Encoding]uint{tokenizer.Cl100kBase: 100_256, tokenizer.O200kBase: 199_998} {
		if err := write(encoding, ranks); err != nil {
			log.Fatal(err)
		}
	}
}

func write(encoding tokenizer.Encoding, ranks uint) error {
	codec, err := tokenizer.Get(encoding)
	if err != nil {
		return err
	}
	var list []byte
	for rank := range ranks {
		token, err := codec.Decode([]uint{rank})
		if err != nil {
			return err
		}
		list = binary.AppendUvarint(list, uint64(len(token)))
		list = append(list, token...)
	}
	best, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	return os.WriteFile(string(encoding)+".zst", best.EncodeAll(list, nil), 0o644)
}
