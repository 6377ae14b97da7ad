using System.Collections.Generic;
using System.Linq;
using NUnit.Framework;

namespace ScoutFs.Tidy;

/// <summary>Every C# source follows the rules, and the rules find what they are for.</summary>
public sealed class CSharpRulesTests
{
    /// <summary>Sources longer than <see cref="CSharpRules.MaxLines"/>, each with the reason.</summary>
    private static readonly Dictionary<string, string> LongSources = [];

    private static IEnumerable<SourceFile> Core => SourceTree.CSharp.Where(file => file.IsBelow(TreeRules.CoreFolder));

    [Test]
    public void UnsafeCode_Repository_Holds() => Report.None(SourceTree.CSharp.SelectMany(CSharpRules.UnsafeCode));

    [TestCase("unsafe class A;")]
    [TestCase("class A { void F() { unsafe { } } }")]
    [TestCase("class A { int F(byte[] b) => Unsafe.As<byte, int>(ref b[0]); }")]
    [TestCase("class A { object F(byte[] b) => MemoryMarshal.Cast<byte, int>(b).ToArray(); }")]
    public void UnsafeCode_InBtrees_IsFound(string text)
    {
        Assert.That(Report.Of(CSharpRules.UnsafeCode, text), Has.Count.EqualTo(1));
        Assert.That(Report.Of(CSharpRules.UnsafeCode, text, "Volume/ScoutFs.Volume/Blocks/Sample.cs"), Is.Empty);
    }

    [Test]
    public void Suppressions_Repository_Hold() => Report.None(SourceTree.CSharp.SelectMany(CSharpRules.Suppressions));

    [TestCase("#pragma warning disable CA1000\nclass A;")]
    [TestCase("#nullable disable\nclass A;")]
    [TestCase("[SuppressMessage(\"a\", \"b\")] class A;")]
    public void Suppressions_WithoutReason_AreFound(string text)
        => Assert.That(Report.Of(CSharpRules.Suppressions, text), Has.Count.EqualTo(1));

    [TestCase("#pragma warning disable CA1000 // the runtime calls it by reflection\nclass A;")]
    [TestCase("#pragma warning restore CA1000\nclass A;")]
    [TestCase("[SuppressMessage(\"a\", \"b\", Justification = \"c\")] class A;")]
    public void Suppressions_WithReason_AreAllowed(string text)
        => Assert.That(Report.Of(CSharpRules.Suppressions, text), Is.Empty);

    [Test]
    public void TypeNames_Repository_Hold() => Report.None(SourceTree.CSharp.SelectMany(CSharpRules.TypeNames));

    [TestCase("class BlockManager;")]
    [TestCase("static class KeyHelpers { }")]
    [TestCase("record struct BlockInfo(int A);")]
    [TestCase("enum ItemData { A }")]
    [TestCase("delegate void BlockHandler();")]
    public void TypeNames_EmptyWord_IsFound(string text)
        => Assert.That(Report.Of(CSharpRules.TypeNames, text), Has.Count.EqualTo(1));

    [Test]
    public void FileNames_Repository_Hold() => Report.None(SourceTree.CSharp.SelectMany(CSharpRules.FileNames));

    [Test]
    public void FileNames_OtherType_IsFound()
    {
        Assert.That(Report.Of(CSharpRules.FileNames, "class Other;"), Has.Count.EqualTo(1));
        Assert.That(Report.Of(CSharpRules.FileNames, "class Sample;", "Volume/X/Sample.Linux.cs"), Is.Empty);
    }

    [Test]
    public void Namespaces_Product_FollowFolders() => Report.None(
        from project in SourceTree.Projects
        where ProjectRules.IsProduct(project)
        let folder = project.Path[..(project.Path.LastIndexOf('/') + 1)]
        from file in SourceTree.CSharp
        where file.IsBelow(folder)
        from violation in CSharpRules.Namespaces(file, ProjectRules.NameOf(project), folder)
        select violation);

    [Test]
    public void Namespaces_OtherFolder_IsFound()
    {
        static IEnumerable<Violation> Rule(SourceFile file)
            => CSharpRules.Namespaces(file, "ScoutFs.Volume", "Volume/ScoutFs.Volume/");

        Assert.That(Report.Of(Rule, "namespace ScoutFs.Volume.Btrees;"), Is.Empty);
        Assert.That(Report.Of(Rule, "namespace ScoutFs.Volume.Blocks;"), Has.Count.EqualTo(1));
    }

    [Test]
    public void Length_Repository_Holds()
        => Report.None(SourceTree.CSharp.SelectMany(file => CSharpRules.Length(file, LongSources)));

    [Test]
    public void Length_ReasonForShortFile_IsRemoved()
        => Assert.That(
            LongSources.Keys.Where(path => (SourceTree.Find(path)?.Lines.Length ?? 0) - 1 <= CSharpRules.MaxLines),
            Is.Empty);

    [Test]
    public void Documentation_Core_IsComplete() => Report.None(Core.SelectMany(CSharpRules.Documentation));

    [Test]
    public void Documentation_InternalMember_IsAskedFor()
    {
        const string Text = """
            /// <summary>A.</summary>
            internal sealed class Sample
            {
                private int _a;
                internal int B;
                void C() { }
                public int D { get; }
                /// <summary>E.</summary>
                public void E() { }
                private sealed class F { public int G; }
            }
            """;
        Assert.That(
            Report.Of(CSharpRules.Documentation, Text).Select(violation => violation.Text),
            Is.EqualTo(["no documentation: B", "no documentation: D"]));
    }

    [Test]
    public void TestNames_Repository_Hold() => Report.None(
        SourceTree.CSharp.Where(file => file.IsBelow("Tests/")).SelectMany(CSharpRules.TestNames));

    [TestCase("class ATests { [Test] public void Read_Works() { } }")]
    [TestCase("class ATests { [TestCase(1)] public void read_Empty_Fails() { } }")]
    [TestCase("class A { [Test] public void Read_Empty_Fails() { } }")]
    public void TestNames_OtherForm_IsFound(string text)
        => Assert.That(Report.Of(CSharpRules.TestNames, text), Has.Count.EqualTo(1));
}
