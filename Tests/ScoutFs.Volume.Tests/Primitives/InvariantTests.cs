using NUnit.Framework;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Primitives;

/// <summary>Assertions stay on in release builds.</summary>
[TestFixture]
internal sealed class InvariantTests
{
    [Test]
    public void Require_False_ThrowsWithTheCondition()
    {
        int items = 3;
        Assert.That(
            () => Invariant.Require(items > 5),
            Throws.TypeOf<InvariantException>().With.Message.Contain("items > 5"));
        Assert.That(() => Invariant.Require(items == 3), Throws.Nothing);
    }
}
