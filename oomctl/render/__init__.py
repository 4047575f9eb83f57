"""Model -> text. The only room that knows rich."""
