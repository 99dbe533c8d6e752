package source

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"context"
	"crypto/sha1" // Git's format
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// tempPrefix begins the name of every file that is still being written.
const tempPrefix = "tmp_"

// storePack reads a pack and adds it to the object store of a git directory. An
// empty stream adds nothing. Until the very last step nothing in the directory
// refers to it, so that a crash leaves at most temporary files; see sweep.
//
// go-git's own writer is not used: it writes the index in place, and after a
// crash in the middle takes the half-written one for good.
func storePack(ctx context.Context, gitDir string, pack io.Reader) (err error) {
	dir := filepath.Join(gitDir, "objects", "pack")
	f, err := os.CreateTemp(dir, tempPrefix+"pack_")
	if err != nil {
		return err
	}
	defer func() {
		if rm := os.Remove(f.Name()); rm != nil && !errors.Is(rm, os.ErrNotExist) {
			err = errors.Join(err, rm)
		}
	}()
	sum, size, err := copyPack(ctx, f, pack)
	if err == nil && size > 0 {
		err = indexPack(f, dir, sum, size)
	}
	if err = errors.Join(err, f.Close()); err != nil || size == 0 {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(dir, "pack-"+sum.String()+".pack"))
}

// packTrailer is how many bytes a pack needs beyond its objects: a header of
// twelve and a checksum of twenty. packObject is the least that an object takes.
const (
	packTrailer = 12 + 20
	packObject  = 9
)

// copyPack writes the stream to disk and proves its checksum, which it returns.
func copyPack(ctx context.Context, f *os.File, pack io.Reader) (sum plumbing.Hash, size int64, err error) {
	size, err = io.Copy(f, contextReader{ctx: ctx, r: pack})
	if err != nil || size == 0 {
		return sum, size, err
	}
	if size < packTrailer {
		return sum, size, fmt.Errorf("the pack ends after %d bytes", size)
	}
	h := sha1.New() // Git's format
	if _, err := io.Copy(h, io.NewSectionReader(f, 0, size-int64(len(sum)))); err != nil {
		return sum, size, err
	}
	if _, err := f.ReadAt(sum[:], size-int64(len(sum))); err != nil {
		return sum, size, err
	}
	if !bytes.Equal(h.Sum(nil), sum[:]) {
		return sum, size, errors.New("the pack's checksum is wrong")
	}
	return sum, size, f.Sync()
}

// indexPack writes the index of a pack beside the place the pack will take.
func indexPack(f *os.File, dir string, sum plumbing.Hash, size int64) error {
	var header [12]byte
	if _, err := f.ReadAt(header[:], 0); err != nil {
		return err
	}
	// The decoder reserves memory by this count, so it is held against the size.
	count := int64(binary.BigEndian.Uint32(header[8:]))
	if string(header[:4]) != "PACK" || count > (size-packTrailer)/packObject {
		return errors.New("the pack's header is wrong")
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	writer := &idxfile.Writer{}
	err := guard(func() error {
		parser, err := packfile.NewParser(packfile.NewScanner(f), writer)
		if err != nil {
			return err
		}
		_, err = parser.Parse()
		return err
	})
	if err != nil {
		return fmt.Errorf("the pack cannot be decoded: %w", err)
	}
	index, err := writer.Index()
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, "pack-"+sum.String()+".idx"), func(w io.Writer) error {
		_, err := idxfile.NewEncoder(w).Encode(index)
		return err
	})
}

// writeFile writes a file as a whole: a crash leaves the old one or the new one.
func writeFile(path string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), tempPrefix)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	buffered := bufio.NewWriter(f)
	err = write(buffered)
	if err == nil {
		err = buffered.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// sweep removes what a crash may have left in a git directory: temporary files,
// and indexes without a pack.
func sweep(gitDir string) error {
	packs := filepath.Join(gitDir, "objects", "pack")
	var errs []error
	for _, dir := range []string{gitDir, packs} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), tempPrefix) {
				errs = append(errs, os.Remove(filepath.Join(dir, e.Name())))
			}
			base, isIndex := strings.CutSuffix(e.Name(), ".idx")
			if !isIndex {
				continue
			}
			if _, err := os.Stat(filepath.Join(dir, base+".pack")); errors.Is(err, os.ErrNotExist) {
				errs = append(errs, os.Remove(filepath.Join(dir, e.Name())))
			}
		}
	}
	return errors.Join(errs...)
}

type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

var packTypes = map[plumbing.ObjectType]byte{
	plumbing.CommitObject: 1, plumbing.TreeObject: 2, plumbing.BlobObject: 3, plumbing.TagObject: 4,
}

// writePack writes the given objects as a pack, each whole, see gitformat-pack(5).
func writePack(ctx context.Context, w io.Writer, from *store, ids []plumbing.Hash) error {
	if len(ids) == 0 {
		return nil
	}
	if int64(len(ids)) > math.MaxUint32 {
		return fmt.Errorf("%d objects are too many for one pack", len(ids))
	}
	sum := sha1.New() // Git's format
	buffered := bufio.NewWriter(io.MultiWriter(w, sum))
	header := binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), uint32(len(ids)))
	if _, err := buffered.Write(header); err != nil {
		return err
	}
	deflate := zlib.NewWriter(io.Discard)
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return err
		}
		kind, data, err := from.readAny(id, math.MaxInt32)
		if err != nil {
			return err
		}
		if err := writePackObject(buffered, deflate, packTypes[kind], data); err != nil {
			return err
		}
	}
	return finishPack(buffered, w, sum)
}

func writePackObject(w io.Writer, deflate *zlib.Writer, kind byte, data []byte) error {
	size := uint64(len(data))
	head := []byte{kind<<4 | byte(size&0x0f)}
	for size >>= 4; size > 0; size >>= 7 {
		head[len(head)-1] |= 0x80
		head = append(head, byte(size&0x7f))
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	deflate.Reset(w)
	if _, err := deflate.Write(data); err != nil {
		return err
	}
	return deflate.Close()
}

func finishPack(buffered *bufio.Writer, w io.Writer, sum hash.Hash) error {
	if err := buffered.Flush(); err != nil {
		return err
	}
	_, err := w.Write(sum.Sum(nil))
	return err
}
