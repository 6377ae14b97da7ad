using System;
using System.Text;
using NUnit.Framework;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Volume.Tests.Offline;

public sealed class JsonLineTests
{
    [Test]
    public void Line_EveryKindOfValue_IsSpeltAsPythonDoes()
    {
        var line = new JsonLine();
        line.BeginObject();
        line.Member("a", "q\"b\\n\nt\t\u007f\u0001é\U0001f600"u8);
        line.Member("raw", [0xff]);
        line.Member("n", ulong.MaxValue);
        line.Member("m", Int128.Parse("-18446744073709551616000000000", null));
        line.Name("list");
        line.BeginArray();
        line.BeginArray();
        line.Number(1);
        line.Number(2);
        line.EndArray();
        line.Boolean(true);
        line.EndArray();
        line.Name("empty");
        line.BeginObject();
        line.EndObject();
        line.Member("last", "x");
        line.EndObject();
        line.EndLine();
        const string Expected = """
            {"a": "q\"b\\n\nt\t\u007f\u0001\u00e9\ud83d\ude00", "raw": "\udcff", "n": 18446744073709551615,
            """;
        const string Rest = """
             "m": -18446744073709551616000000000, "list": [[1, 2], true], "empty": {}, "last": "x"}
            """;
        Assert.That(Encoding.ASCII.GetString(line.Written.Span), Is.EqualTo(Expected + Rest + "\n"));
    }

    [Test]
    public void CutTo_StartOfLine_LeavesTheLinesBefore()
    {
        var line = new JsonLine();
        line.BeginObject();
        line.EndObject();
        line.EndLine();
        int start = line.WrittenBytes;
        line.BeginObject();
        line.Member("half", 1);
        line.CutTo(start);
        line.BeginObject();
        line.EndObject();
        Assert.That(Encoding.ASCII.GetString(line.Written.Span), Is.EqualTo("{}\n{}"));
    }
}
