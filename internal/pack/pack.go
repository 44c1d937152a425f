// Package pack is the file format of a packed fixture set: named sections of
// raw bytes in one file that is mapped into memory, so that a directory of
// millions of resources opens at once and lives in the page cache. fixtures
// opens such files, and internal/store reads and writes the sections.
//
// # The file
//
//	8 bytes   "mockfhir"
//	4 bytes   version of the format, 2
//	4 bytes   length of the header
//	4 bytes   CRC-32C of the header
//	header    JSON: the names and places of the sections
//	…         sections, each at a multiple of 8 bytes
//	about     the last section, JSON: what the set says of itself
//	sums      CRC-32C of each block of 64 KiB of each section, in their order
//
// Numbers are little-endian, and nothing stands behind the sums. The header, the
// sums and what the set says of itself are verified when the file is opened,
// together with its length; any other block is verified before it is first
// read, and Verify reads them all. In version 1 what a set says of itself stood
// in the header, where the exchanges of a recording have no room.
package pack

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"unsafe"
)

const (
	magic     = "mockfhir"
	version   = 2
	preamble  = len(magic) + 12
	blockSize = 64 << 10
	about     = "about" // the section that every file has
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header is what stands at the beginning of a file.
type header struct {
	Sections []section `json:"sections"`
	Sums     section   `json:"sums"`
	SumsCRC  uint32    `json:"sumsCRC"`
}

type section struct {
	Name   string `json:"name"`
	Offset uint64 `json:"offset"`
	Length uint64 `json:"length"`
}

func (s section) blocks() int { return int((s.Length + blockSize - 1) / blockSize) }

// DamagedError says that a file is not what was written.
type DamagedError struct {
	Path   string
	Offset uint64
	Why    string
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("%s is damaged at byte %d: %s; pack it again", e.Path, e.Offset, e.Why)
}

// IsPacked reports whether a file begins like a packed set.
func IsPacked(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var begin [len(magic)]byte
	_, err = io.ReadFull(f, begin[:])
	return err == nil && string(begin[:]) == magic
}

// File is an open packed set. It is safe for concurrent use, and stays mapped
// as long as the process lives.
type File struct {
	path     string
	data     []byte
	header   header
	sums     []uint32
	first    map[string]int // by section: its first block in sums
	sections map[string]section
	verified []atomic.Uint32 // by block
	ahead    atomic.Bool     // blocks are being verified in the background
}

// Open maps a file and verifies its header, its length and what it says of
// itself. A file that was cut, lengthened or changed there is a *DamagedError.
func Open(path string) (*File, error) {
	if !littleEndian() {
		return nil, errors.New("packed sets are read on little-endian machines only; load the directory they were packed from")
	}
	data, err := mapFile(path)
	if err != nil {
		return nil, err
	}
	f := &File{path: path, data: data, first: map[string]int{}, sections: map[string]section{}}
	if err := f.readHeader(); err != nil {
		return nil, err
	}
	if err := f.check(about, 0, f.sections[about].Length); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *File) damaged(offset uint64, format string, args ...any) error {
	return &DamagedError{f.path, offset, fmt.Sprintf(format, args...)}
}

func (f *File) readHeader() error {
	if len(f.data) < preamble {
		return f.damaged(uint64(len(f.data)), "it ends within its first %d bytes", preamble)
	}
	if string(f.data[:len(magic)]) != magic {
		return f.damaged(0, "it does not begin like a packed set")
	}
	fields := f.data[len(magic):]
	if v := binary.LittleEndian.Uint32(fields); v != version {
		return fmt.Errorf("%s has version %d of the format, this program reads %d; pack it again", f.path, v, version)
	}
	length := binary.LittleEndian.Uint32(fields[4:])
	if length > headerRoom || preamble+int(length) > len(f.data) {
		return f.damaged(uint64(len(magic)+4), "its header is longer than the file")
	}
	text := f.data[preamble : preamble+int(length)]
	if crc32.Checksum(text, castagnoli) != binary.LittleEndian.Uint32(fields[8:]) {
		return f.damaged(uint64(preamble), "its header does not match its checksum")
	}
	if err := json.Unmarshal(text, &f.header); err != nil {
		return f.damaged(uint64(preamble), "its header is no JSON")
	}
	if end := f.header.Sums.Offset + f.header.Sums.Length; end < uint64(len(f.data)) {
		return f.damaged(end, "it should end there, and %d bytes follow", uint64(len(f.data))-end)
	}
	blocks := 0
	for _, s := range append(slices.Clone(f.header.Sections), f.header.Sums) {
		if end := s.Offset + s.Length; end < s.Offset || end > uint64(len(f.data)) || s.Offset%8 != 0 {
			return f.damaged(uint64(len(f.data)), "section %s should reach byte %d", s.Name, end)
		}
	}
	for _, s := range f.header.Sections {
		f.sections[s.Name], f.first[s.Name] = s, blocks
		blocks += s.blocks()
	}
	sums := f.bytes(f.header.Sums)
	if len(sums) != 4*blocks || crc32.Checksum(sums, castagnoli) != f.header.SumsCRC {
		return f.damaged(f.header.Sums.Offset, "its checksums do not match their own")
	}
	f.sums, f.verified = Cast[uint32](sums), make([]atomic.Uint32, blocks)
	return nil
}

func (f *File) bytes(s section) []byte {
	return f.data[s.Offset : s.Offset+s.Length : s.Offset+s.Length]
}

// About is what the set says of itself, as it was given to the Writer.
func (f *File) About() json.RawMessage { return f.Section(about) }

// Section returns the bytes of a section without verifying them: nil when there
// is none of that name. Call Check before reading from it.
func (f *File) Section(name string) []byte {
	s, found := f.sections[name]
	if !found {
		return nil
	}
	return f.bytes(s)
}

// Check verifies the blocks of a section between two of its bytes, those that
// were not yet, and panics with a *DamagedError when one is not what was
// written: what reads on would answer nonsense.
func (f *File) Check(name string, from, to uint64) {
	if err := f.check(name, from, to); err != nil {
		panic(err)
	}
}

func (f *File) check(name string, from, to uint64) error {
	s := f.sections[name]
	for block := from / blockSize; block*blockSize < to; block++ {
		at := f.first[name] + int(block)
		if f.verified[at].Load() != 0 {
			continue
		}
		start := block * blockSize
		data := f.bytes(s)[start:min(start+blockSize, s.Length)]
		if crc32.Checksum(data, castagnoli) != f.sums[at] {
			return f.damaged(s.Offset+start, "a block of section %s does not match its checksum", name)
		}
		f.verified[at].Store(1)
	}
	return nil
}

// Ahead verifies a stretch of a section in the background, for a reader who
// will soon be there; what is damaged is told to that reader, by Check. One
// stretch is verified at a time: it does nothing while another is.
func (f *File) Ahead(name string, from, to uint64) {
	if !f.ahead.CompareAndSwap(false, true) {
		return
	}
	go func() {
		defer f.ahead.Store(false)
		_ = f.check(name, from, min(to, f.sections[name].Length))
	}()
}

// CheckAll verifies a whole section, as Check does.
func (f *File) CheckAll(name string) { f.Check(name, 0, f.sections[name].Length) }

// Verify verifies the whole file, and returns every section that is damaged.
func (f *File) Verify() error {
	var errs []error
	for _, s := range f.header.Sections {
		errs = append(errs, f.check(s.Name, 0, s.Length))
	}
	return errors.Join(errs...)
}

// Writer writes a packed set. What it writes appears under its name when it is
// closed, whole or not at all.
type Writer struct {
	path     string
	file     *os.File
	out      *bufio.Writer
	offset   uint64
	sections []section
	sums     []byte
	open     bool   // a section is being written
	block    uint32 // its checksum so far
	filled   int    // bytes in the block
}

// headerRoom is kept free at the beginning of a file for its header.
const headerRoom = 1 << 20

// Create begins a file beside the path it will have.
func Create(path string) (*Writer, error) {
	file, err := os.CreateTemp(filepath.Dir(path), ".mockfhir-*")
	if err != nil {
		return nil, err
	}
	w := &Writer{path: path, file: file, out: bufio.NewWriterSize(file, 1<<20)}
	_, err = w.out.Write(make([]byte, headerRoom))
	w.offset = headerRoom
	return w, err
}

// Begin starts a section, and ends the one before.
func (w *Writer) Begin(name string) error {
	w.end()
	if pad := (8 - w.offset%8) % 8; pad > 0 {
		if _, err := w.out.Write(make([]byte, pad)); err != nil {
			return err
		}
		w.offset += pad
	}
	w.sections = append(w.sections, section{Name: name, Offset: w.offset})
	w.open = true
	return nil
}

func (w *Writer) end() {
	if w.open && w.filled > 0 {
		w.sum()
	}
	w.open = false
}

func (w *Writer) sum() {
	w.sums = binary.LittleEndian.AppendUint32(w.sums, w.block)
	w.block, w.filled = 0, 0
}

// Write appends to the section that was begun.
func (w *Writer) Write(p []byte) (int, error) {
	n, err := w.out.Write(p)
	w.offset += uint64(n)
	w.sections[len(w.sections)-1].Length += uint64(n)
	for rest := p[:n]; len(rest) > 0; {
		take := min(len(rest), blockSize-w.filled)
		w.block = crc32.Update(w.block, castagnoli, rest[:take])
		if w.filled += take; w.filled == blockSize {
			w.sum()
		}
		rest = rest[take:]
	}
	return n, err
}

// Section writes a whole section.
func (w *Writer) Section(name string, data []byte) error {
	err := w.Begin(name)
	if err == nil {
		_, err = w.Write(data)
	}
	return err
}

// Close writes what the set says of itself, the sums and the header, and gives
// the file its name.
func (w *Writer) Close(set any) error {
	err := w.finish(set)
	err = errors.Join(err, w.file.Close())
	if err == nil {
		err = os.Rename(w.file.Name(), w.path)
	}
	if err != nil {
		_ = os.Remove(w.file.Name())
	}
	return err
}

// Abort forgets the file.
func (w *Writer) Abort() {
	_ = w.file.Close()
	_ = os.Remove(w.file.Name())
}

func (w *Writer) finish(set any) error {
	text, err := json.Marshal(set)
	if err != nil {
		return err
	}
	if err := w.Section(about, text); err != nil {
		return err
	}
	sections := len(w.sections)
	w.end()
	sums := w.sums
	if err := w.Section("sums", sums); err != nil {
		return err
	}
	text, err = json.Marshal(header{
		Sections: w.sections[:sections], Sums: w.sections[sections],
		SumsCRC: crc32.Checksum(sums, castagnoli),
	})
	if err != nil {
		return err
	}
	if preamble+len(text) > headerRoom {
		return fmt.Errorf("the header of %s would have %d bytes, more than there is room for", w.path, len(text))
	}
	begin := []byte(magic)
	begin = binary.LittleEndian.AppendUint32(begin, version)
	begin = binary.LittleEndian.AppendUint32(begin, uint32(len(text)))
	begin = binary.LittleEndian.AppendUint32(begin, crc32.Checksum(text, castagnoli))
	if err := w.out.Flush(); err != nil {
		return err
	}
	if _, err := w.file.WriteAt(append(begin, text...), 0); err != nil {
		return err
	}
	if err := w.file.Chmod(0o644); err != nil {
		return err
	}
	return w.file.Sync()
}

// Cast looks at bytes as an array of numbers or of plain structs, without a
// copy. The bytes must stand at a multiple of 8, as sections do.
func Cast[T any](data []byte) []T {
	var zero T
	if len(data) == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&data[0])), len(data)/int(unsafe.Sizeof(zero)))
}

// Bytes looks at an array as the bytes that Cast takes.
func Bytes[T any](array []T) []byte {
	var zero T
	if len(array) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&array[0])), len(array)*int(unsafe.Sizeof(zero)))
}

func littleEndian() bool {
	one := uint16(1)
	return *(*byte)(unsafe.Pointer(&one)) == 1
}
