using System.Collections.Generic;
using System.Linq;
using NUnit.Framework;

namespace ScoutFs.Tidy;

/// <summary>The engine's layers know only what is to their left.</summary>
public sealed class LayeringTests
{
    private const string BlockSource = """
        namespace ScoutFs.Volume.Blocks { public static class Pool { public static int Size => 1; } }
        """;

    [Test]
    public void Layers_Engine_PointLeft() => Report.None(
        Layering.Check([.. SourceTree.CSharp.Where(file => file.IsBelow(TreeRules.CoreFolder))]));

    [TestCase("using ScoutFs.Volume.Blocks; namespace ScoutFs.Volume.Format { class A { int F => Pool.Size; } }")]
    [TestCase("namespace ScoutFs.Volume.Format { class A { int F => ScoutFs.Volume.Blocks.Pool.Size; } }")]
    [TestCase("namespace ScoutFs.Volume.Format { class A { int F => Blocks.Pool.Size; } }")]
    [TestCase("using P = ScoutFs.Volume.Blocks.Pool; namespace ScoutFs.Volume.Format { class A { int F => P.Size; } }")]
    [TestCase("using static ScoutFs.Volume.Blocks.Pool; namespace ScoutFs.Volume.Format { class A { int F = Size; } }")]
    public void Layers_FormatUsesBlocks_IsFound(string text) => Assert.That(Check(text), Is.Not.Empty);

    [TestCase("using ScoutFs.Volume.Blocks; namespace ScoutFs.Volume.Btrees { class A { int F => Pool.Size; } }")]
    [TestCase("namespace ScoutFs.Volume.Format { class A { int Blocks => 1; int F => Blocks; } }")]
    [TestCase("namespace ScoutFs.Volume.Format { /** <see cref=\"Blocks.Pool\"/> */ class A { } }")]
    public void Layers_PointingLeft_AreAllowed(string text) => Assert.That(Check(text), Is.Empty);

    [TestCase("namespace ScoutFs.Volume { class A { } }")]
    [TestCase("namespace ScoutFs.Volume.Elsewhere { class A { } }")]
    public void Layers_UnknownLayer_IsFound(string text) => Assert.That(Check(text), Has.Count.EqualTo(1));

    [TestCase("Offline", "Srch", true)]
    [TestCase("Srch", "Offline", false)]
    [TestCase("Srch", "Quota", false)]
    [TestCase("Mounting", "Offline", false)]
    [TestCase("Forest", "Forest", true)]
    [TestCase("Primitives", "Format", false)]
    public void MayUse_TwoLayers_FollowsTheRows(string user, string used, bool expected)
        => Assert.That(Layering.MayUse(user, used), Is.EqualTo(expected));

    private static List<Violation> Check(string text) =>
    [
        .. Layering.Check([new SourceFile("a.cs", text), new SourceFile("b.cs", BlockSource)]),
    ];
}
