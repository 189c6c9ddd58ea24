"""Sign-in: sessions of persons in browsers, and the ways in which they sign in."""
