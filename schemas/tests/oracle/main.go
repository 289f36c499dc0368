// Writes ../hcl_vectors.json: what HashiCorp's own HCL says about every line of expressions.txt.
//
// Regenerate on Debian (packages golang-go, golang-github-hashicorp-hcl-v2-dev, golang-github-zclconf-go-cty-yaml-dev):
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go run main.go <expressions.txt >../hcl_vectors.json
//
// `\n` in a line that starts with `<<` stands for a new line; `##` starts a comment.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	yaml "github.com/zclconf/go-cty-yaml"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

type vector struct {
	Expression string          `json:"expression"`
	Value      json.RawMessage `json:"value,omitempty"`
	Error      string          `json:"error,omitempty"`
}

// The same variables are bound in the Rust test.
const variables = `{"text":"hello","number":3,"flag":true,"list":["a","b","c"],"numbers":[3,1,2],"empty":[],
"map":{"x":1,"y":2},"objects":[{"n":"a","t":[{"p":1},{"p":2}]},{"n":"b","t":[{"p":3}]}],"nothing":null}`

var functions = map[string]function.Function{
	"abs": stdlib.AbsoluteFunc, "ceil": stdlib.CeilFunc, "floor": stdlib.FloorFunc, "log": stdlib.LogFunc,
	"pow": stdlib.PowFunc, "signum": stdlib.SignumFunc, "parseint": stdlib.ParseIntFunc, "min": stdlib.MinFunc, "max": stdlib.MaxFunc,
	"upper": stdlib.UpperFunc, "lower": stdlib.LowerFunc, "strrev": stdlib.ReverseFunc, "strlen": stdlib.StrlenFunc,
	"substr": stdlib.SubstrFunc, "title": stdlib.TitleFunc, "trimspace": stdlib.TrimSpaceFunc, "trim": stdlib.TrimFunc,
	"trimprefix": stdlib.TrimPrefixFunc, "trimsuffix": stdlib.TrimSuffixFunc, "chomp": stdlib.ChompFunc, "indent": stdlib.IndentFunc,
	"join": stdlib.JoinFunc, "sort": stdlib.SortFunc, "split": stdlib.SplitFunc, "replace": stdlib.ReplaceFunc,
	"regex": stdlib.RegexFunc, "regexall": stdlib.RegexAllFunc, "regex_replace": stdlib.RegexReplaceFunc,
	"format": stdlib.FormatFunc, "formatlist": stdlib.FormatListFunc, "concat": stdlib.ConcatFunc, "contains": stdlib.ContainsFunc,
	"distinct": stdlib.DistinctFunc, "element": stdlib.ElementFunc, "flatten": stdlib.FlattenFunc, "keys": stdlib.KeysFunc,
	"values": stdlib.ValuesFunc, "lookup": stdlib.LookupFunc, "merge": stdlib.MergeFunc, "range": stdlib.RangeFunc,
	"setproduct": stdlib.SetProductFunc, "setunion": stdlib.SetUnionFunc, "setintersection": stdlib.SetIntersectionFunc,
	"setsubtract": stdlib.SetSubtractFunc, "slice": stdlib.SliceFunc, "zipmap": stdlib.ZipmapFunc, "coalesce": stdlib.CoalesceFunc,
	"coalescelist": stdlib.CoalesceListFunc, "compact": stdlib.CompactFunc, "chunklist": stdlib.ChunklistFunc,
	"length": stdlib.LengthFunc, "reverse": stdlib.ReverseListFunc, "jsonencode": stdlib.JSONEncodeFunc,
	"jsondecode": stdlib.JSONDecodeFunc, "csvdecode": stdlib.CSVDecodeFunc, "formatdate": stdlib.FormatDateFunc,
	"timeadd": stdlib.TimeAddFunc, "try": tryfunc.TryFunc, "can": tryfunc.CanFunc, "convert": typeexpr.ConvertFunc,
	"yamlencode": yaml.YAMLEncodeFunc, "yamldecode": yaml.YAMLDecodeFunc,
}

func evaluate(expression string, context *hcl.EvalContext) (out vector) {
	out.Expression = expression
	defer func() {
		if problem := recover(); problem != nil {
			out.Value, out.Error = nil, fmt.Sprint("panic: ", problem)
		}
	}()
	parsed, diagnostics := hclsyntax.ParseExpression([]byte(expression), "x", hcl.Pos{Line: 1, Column: 1})
	if !diagnostics.HasErrors() {
		var value cty.Value
		value, diagnostics = parsed.Value(context)
		if !diagnostics.HasErrors() {
			raw, err := ctyjson.Marshal(value, value.Type())
			if err != nil {
				out.Error = "not JSON"
				return
			}
			out.Value = raw
			return
		}
	}
	out.Error = diagnostics[0].Summary
	return
}

func main() {
	kind, err := ctyjson.ImpliedType([]byte(variables))
	if err != nil {
		panic(err)
	}
	value, err := ctyjson.Unmarshal([]byte(variables), kind)
	if err != nil {
		panic(err)
	}
	context := &hcl.EvalContext{Variables: map[string]cty.Value{"var": value}, Functions: functions}
	var vectors []vector
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "##") {
			continue
		}
		if strings.HasPrefix(line, "<<") {
			line = strings.ReplaceAll(line, `\n`, "\n")
		}
		vectors = append(vectors, evaluate(line, context))
	}
	fmt.Println("[")
	for at, one := range vectors {
		text, err := json.Marshal(one)
		if err != nil {
			panic(err)
		}
		comma := ","
		if at == len(vectors)-1 {
			comma = ""
		}
		fmt.Printf("%s%s\n", text, comma)
	}
	fmt.Println("]")
}
