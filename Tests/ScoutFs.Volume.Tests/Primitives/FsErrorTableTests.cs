using System;
using System.Collections.Generic;
using NUnit.Framework;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Primitives;

/// <summary>Every code has a class and a text of its own.</summary>
[TestFixture]
internal sealed class FsErrorTableTests
{
    [Test]
    public void TextOf_EveryCode_IsOneEmbeddablePhrase([Values] FsError error)
    {
        string text = FsErrorTable.TextOf(error);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(text, Is.Not.Empty.And.EqualTo(text.Trim()));
            Assert.That(text, Does.Not.EndWith("."));
            Assert.That(char.IsLower(text[0]), Is.True);
        }
    }

    [Test]
    public void ClassOf_EveryCode_IsSuccessOnlyForNone([Values] FsError error) =>
        Assert.That(FsErrorTable.ClassOf(error) == FsErrorClass.Success, Is.EqualTo(error == FsError.None));

    [Test]
    public void TextOf_AllCodes_AreDistinct()
    {
        var texts = new HashSet<string>();
        foreach (var error in Enum.GetValues<FsError>())
            Assert.That(texts.Add(FsErrorTable.TextOf(error)), Is.True, error.ToString());
    }
}
