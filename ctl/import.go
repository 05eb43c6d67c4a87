package ctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sipd/db"
)

// importBatch is how many records go into one transaction.
const importBatch = 2000

// importFlags say what to do with a file that is not all as it should be.
type importFlags struct {
	onError string
	from    int
	ifNot   bool
	format  string
	keep    bool
}

func (f *importFlags) declare(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.onError, "on-error", "stop", "`stop` before the first batch with a mistake, or skip what is wrong")
	cmd.Flags().IntVar(&f.from, "from-line", 0, "begin at this `line` of the file, to go on where it stopped")
	cmd.Flags().BoolVar(&f.ifNot, "if-not-exists", false, "pass over what is there already")
	cmd.Flags().StringVar(&f.format, "format", "", "`csv` or jsonl, when the name of the file does not tell")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if f.onError != "stop" && f.onError != "skip" {
			return usagef(cmd, "--on-error is stop or skip, not %q", f.onError)
		}
		if f.format != "" && f.format != "csv" && f.format != "jsonl" {
			return usagef(cmd, "--format is csv or jsonl, not %q", f.format)
		}
		return nil
	}
}

// importKind is what can be imported: which columns its records have, and how a
// batch of them is written.
type importKind struct {
	things  string   // "users"
	columns []string // of the file; the first must be there
	must    int      // how many of them must be there
	single  bool     // records are written one by one
	// start opens what add writes to.
	start func(ctx context.Context, a *App, f *importFlags) (*sink, error)
}

// needed are the columns that must be there, for the help.
func (k *importKind) needed() string {
	if k.must == 0 {
		return "those without a default"
	}
	return strings.Join(k.columns[:k.must], " and ")
}

// sink is where the records of one import go.
type sink struct {
	add    addBatch
	reload []string // methods that make live what was added
}

// learns notes that a method makes live what is added; "" is none.
func (s *sink) learns(method string) {
	if method != "" && !slices.Contains(s.reload, method) {
		s.reload = append(s.reload, method)
	}
}

// addBatch writes records in one transaction and tells for each what is wrong
// with it. While one is wrong nothing is written, unless skip. The last result
// is an error that ends it all.
type addBatch func(ctx context.Context, recs []record, skip bool) ([]error, error)

func (k *importKind) command(a *App) *cobra.Command {
	var f importFlags
	c := &cobra.Command{
		Use: "import FILE", Short: "Add the " + k.things + " of a CSV or JSON lines file; - is standard input", Args: want(1, 1),
		Long: `Adds the ` + k.things + ` of a file, ` + fmt.Sprint(importBatch) + ` in a transaction. The first line of a CSV file names
the columns: ` + strings.Join(k.columns, ", ") + `
(` + k.needed() + ` must be there). A line of JSON is an object with the same names.
When something is wrong, every mistake of the batch is told with its line,
nothing of the batch is written, and the message says how to go on. Servers
that are named (--server) are told of what was added, once, at the end.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.importFile(cmd.Context(), k, args[0], &f)
		},
	}
	f.declare(c)
	if k.things == "users" {
		c.Flags().BoolVar(&f.keep, "plaintext", false, "keep the passwords in clear too")
	}
	return c
}

// importError is every mistake that ended an import.
type importError struct {
	file     string
	mistakes []error
	total    int
	rest     string // what became of the rest
}

func (e *importError) Error() string {
	var b strings.Builder
	for _, m := range e.mistakes {
		fmt.Fprintf(&b, "%s:%v\n", e.file, m)
	}
	what := fmt.Sprintf("%d mistakes", e.total)
	if e.total == 1 {
		what = "1 mistake"
	}
	fmt.Fprintf(&b, "%s in %s; %s", what, e.file, e.rest)
	return b.String()
}

func (e *importError) Unwrap() []error { return e.mistakes }

// lineError is a mistake on a line.
type lineError struct {
	line int
	err  error
}

func (e *lineError) Error() string { return fmt.Sprintf("%d: %v", e.line, e.err) }
func (e *lineError) Unwrap() error { return e.err }

func (a *App) importFile(ctx context.Context, k *importKind, path string, f *importFlags) error {
	in, name, size := a.In, "standard input", int64(-1)
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("import: %w", err)
		}
		defer file.Close()
		in, name = file, path
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
			size = info.Size()
		}
	}
	format := f.format
	if format == "" {
		format = "csv"
		if strings.HasSuffix(path, ".jsonl") || strings.HasSuffix(path, ".ndjson") {
			format = "jsonl"
		}
	}
	to, err := k.start(ctx, a, f)
	if err != nil {
		return err
	}
	bar := a.newProgress("import "+k.things, size)
	defer bar.done()
	im := &importer{a: a, kind: k, flags: f, file: name, path: path, to: to, bar: bar}
	r := &countingReader{r: in, n: &bar.bytes}
	next := readCSV(r, k.columns, k.must)
	if format == "jsonl" {
		next = readJSONL(r, k.columns)
	}
	return errors.Join(im.run(ctx, next), im.tell(ctx))
}

// tell lets the servers know what was added, however the import ended.
func (im *importer) tell(ctx context.Context) error {
	if im.added == 0 || im.a.opt.dryRun {
		return nil
	}
	var calls []call
	for _, m := range im.to.reload {
		calls = append(calls, call{method: m})
	}
	return im.a.tell(context.WithoutCancel(ctx), im.sum(), calls)
}

// countingReader tells how far a file was read.
type countingReader struct {
	r io.Reader
	n *counter
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.add(int64(n))
	return n, err
}

// importer is one run over a file.
type importer struct {
	a          *App
	kind       *importKind
	flags      *importFlags
	file, path string
	to         *sink
	bar        *progress

	added, known, wrong int
	last                int // line of the last record that is stored
}

// batch is what the reader hands to the writer; err ends it.
type batch struct {
	recs []record
	err  error
}

// run reads in one goroutine and writes in another.
func (im *importer) run(ctx context.Context, next func() (record, error)) error {
	ctx, cancel := context.WithCancel(ctx)
	batches := make(chan batch, 2)
	size := importBatch
	if im.kind.single {
		size = 1
	}
	go func() {
		defer close(batches)
		var b batch
		for b.err == nil {
			var r record
			if r, b.err = next(); b.err == nil && r.line >= im.flags.from {
				b.recs = append(b.recs, r)
			}
			if len(b.recs) < size && b.err == nil {
				continue
			}
			select {
			case batches <- b:
			case <-ctx.Done():
				return
			}
			b.recs = nil
		}
	}()
	err := im.write(ctx, batches)
	cancel()
	for range batches { // until the reader has ended
		continue
	}
	return err
}

func (im *importer) write(ctx context.Context, batches <-chan batch) error {
	for b := range batches {
		if len(b.recs) > 0 {
			if err := im.batch(ctx, b.recs); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(b.err, io.EOF):
		case b.err != nil:
			if mistake, ok := errors.AsType[*lineError](b.err); ok {
				// Where the next record begins, nobody knows.
				return &importError{file: im.file, mistakes: []error{mistake}, total: im.wrong + 1, rest: im.resume(mistake.line)}
			}
			return fmt.Errorf("import: %w", b.err)
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("interrupted; %s", im.resume(im.last+1))
	}
	if im.wrong > 0 {
		return &importError{file: im.file, total: im.wrong, rest: im.sum()}
	}
	im.bar.done()
	return im.a.say("%s", im.sum())
}

// sum is what was done.
func (im *importer) sum() string {
	s := fmt.Sprintf("added %d %s", im.added, im.kind.things)
	if im.known > 0 {
		s += fmt.Sprintf(", %d were there already", im.known)
	}
	return s
}

// resume says what is stored and how to go on.
func (im *importer) resume(line int) string {
	if im.added == 0 && im.known == 0 {
		return "nothing was added"
	}
	file := im.path
	if file == "-" {
		file = "- < FILE"
	}
	noun := strings.TrimSuffix(im.kind.things, "s")
	if noun == "aliase" || noun == "addresse" {
		noun = strings.TrimSuffix(noun, "e")
	}
	if noun == "attribute" {
		noun = "attr"
	}
	return fmt.Sprintf("%s, up to line %d; to go on: sipctl %s import %s --from-line %d", im.sum(), im.last, noun, file, line)
}

// batch writes some records. With --on-error skip mistakes are told as they
// come, so that they need no memory.
func (im *importer) batch(ctx context.Context, recs []record) error {
	skip := im.flags.onError == "skip"
	errs, err := im.to.add(ctx, recs, skip || im.flags.ifNot)
	if errors.Is(err, db.ErrDuplicate) { // somebody else added one meanwhile
		errs, err = im.oneByOne(ctx, recs)
	}
	if err != nil {
		return fmt.Errorf("import %s: %s: %w", im.file, im.resume(recs[0].line), err)
	}
	var mistakes []error
	known := 0
	for i, e := range errs {
		switch {
		case e == nil:
		case taken(e) && im.flags.ifNot:
			known++
		default:
			mistakes = append(mistakes, &lineError{recs[i].line, e})
		}
	}
	if len(mistakes) > 0 && !skip {
		e := &importError{file: im.file, mistakes: mistakes, total: len(mistakes), rest: im.resume(recs[0].line)}
		if im.flags.ifNot { // what is right of this batch is there, and will be passed over
			im.added, im.known = im.added+len(recs)-len(mistakes)-known, im.known+known
			e.rest = im.sum() + "; mend the file and import it again"
		}
		return e
	}
	for _, m := range mistakes {
		fmt.Fprintf(im.a.Err, "%s:%v\n", im.file, m)
	}
	im.wrong += len(mistakes)
	im.known += known
	im.added += len(recs) - len(mistakes) - known
	im.last = recs[len(recs)-1].line
	im.bar.records(im.added + im.known + im.wrong)
	return nil
}

// oneByOne finds the record that the database refused.
func (im *importer) oneByOne(ctx context.Context, recs []record) ([]error, error) {
	out := make([]error, len(recs))
	for i := range recs {
		errs, err := im.to.add(ctx, recs[i:i+1], true)
		switch {
		case errors.Is(err, db.ErrDuplicate):
			out[i] = db.ErrExists
		case err != nil:
			return nil, err
		default:
			out[i] = errs[0]
		}
	}
	return out, nil
}

// columnsOf tells which of the columns a file has, and refuses others.
func columnsOf(head, known []string, must int) error {
	for i, h := range head {
		if slices.Contains(head[:i], h) {
			return fmt.Errorf("line 1: the column %s is there twice", h)
		}
		if !slices.Contains(known, h) {
			return fmt.Errorf("line 1: %q is no column; there are %s", h, strings.Join(known, ", "))
		}
	}
	for _, m := range known[:must] {
		if !slices.Contains(head, m) {
			return fmt.Errorf("line 1: the column %s is missing", m)
		}
	}
	return nil
}
