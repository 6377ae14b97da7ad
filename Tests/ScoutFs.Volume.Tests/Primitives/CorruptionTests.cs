using NUnit.Framework;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Primitives;

/// <summary>What an operator reads when the volume is damaged.</summary>
[TestFixture]
internal sealed class CorruptionTests
{
    [Test]
    public void IsFound_Default_IsFalse()
    {
        Assert.That(default(Corruption).IsFound, Is.False);
        Assert.That(default(Corruption).Describe(), Is.EqualTo("no damage"));
    }

    [Test]
    public void Describe_Found_NamesSiteBlockAndBothValues()
    {
        string text = new Corruption(CorruptionSite.BlockSeq, 77, 0x10, 0x11).Describe();
        Assert.That(text, Does.Contain("BlockSeq").And.Contain("77").And.Contain("0x10").And.Contain("0x11"));
    }
}
